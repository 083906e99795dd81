"""The texts of one room: its catalogue and its templates, in Chinese and English.

English stands in the code and templates (gettext's msgid); `locale/zh.po` holds the Chinese. Catalogues are
read from the `.po` files at start, so there is no compiled copy that could be stale.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from schemas.base import Language


class Wording:
    """The catalogue `locale/*.po` and the `templates/` of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.translations = cache(self._translations)
        self._environment = cache(self._make_environment)

    def gettext(self, language: Language, text: str) -> str:
        """Return a text of the catalogue in a language."""
        return str(self.translations(language).gettext(text))

    def render(self, language: Language, template: str, values: dict[str, Any]) -> str:
        """Render a template in a language; it may use `lang` (zh, en) and `html_lang`."""
        html_lang = "zh-CN" if language == "zh" else "en"
        chosen = self._environment(language).get_template(template)
        return chosen.render(lang=language, html_lang=html_lang, **values)

    def _translations(self, language: Language) -> NullTranslations:
        path = self._folder / "locale" / f"{language}.po"
        if not path.exists():
            return NullTranslations()  # English is the source and needs none
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language)
        compiled = BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        return Translations(compiled)

    def _make_environment(self, language: Language) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(self._folder / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        catalogue = self.translations(language)
        environment.install_gettext_translations(catalogue, newstyle=True)  # type: ignore[attr-defined]
        return environment
