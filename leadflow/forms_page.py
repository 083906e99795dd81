"""The page on which a hosted form is put together: fields, order, labels, texts, consent, campaign; with a preview of the form itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk, entered_in, is_own_page
from console.gate import actor_of, visitor
from console.texts import page
from console.view import View
from ingest.web.form import Posted, WebForm
from ingest.web.hosted import ASKED, LABELS, USUAL
from ingest.web.pages import form_values
from ingest.web.texts import WORDING
from sales.forms import VERB, forms, save_form, state_of
from schemas.base import Language
from schemas.company import Company
from store.acts import ActRefused

_TEXTS = (
    "title_zh",
    "title_en",
    "intro_zh",
    "intro_en",
    "thanks_zh",
    "thanks_en",
    "consent_version",
    "consent_text",
    "campaign",
)
"""Keys of the source that are plain text; empty takes them away."""
_FIELDS_MOST = 150
_PREVIEW_POLICY = (
    "default-src 'none'; style-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
"""Shown in a frame of ours, and nothing can be sent from it."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A field that can be asked for, as the page shows it: `place` is empty for one that is not asked."""

    field: str
    label: str
    place: str
    required: bool
    zh: str
    en: str


@dataclass(frozen=True)
class FormsPage:
    """Web forms to choose from, one to put together, its preview, and saving it as the company's next version."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [
            Route("/forms", self.show),
            Route("/forms/{source_id}", self.save, methods=["POST"]),
            Route("/forms/{source_id}/preview", self.preview, methods=["GET", "POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """One form, chosen in the address, else the first."""
        return await run_in_threadpool(self._page, request, request.query_params.get("form"), None, None)

    async def save(self, request: Request) -> Response:
        """Save a form as the company's next version; then show it again (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        return await run_in_threadpool(self._save, request, await entered_in(request, _FIELDS_MOST))

    async def preview(self, request: Request) -> Response:
        """The hosted form as it would be: as saved (GET), or with what was entered (POST); nothing is kept."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, _FIELDS_MOST) if request.method == "POST" else None
        return await run_in_threadpool(self._preview, request, entered)

    def _save(self, request: Request, entered: dict[str, str]) -> Response:
        source_id = request.path_params["source_id"]
        company = self._company()
        try:
            settings = forms(company).get(source_id)
            if settings is None:
                raise ActRefused("unknown_source", f"There is no web form {source_id!r}.")
            _checked({**settings, **changes_of(entered)})
            actor = actor_of(request, entered, company)
            reason = entered.get("reason", "").strip()[:500]
            if not reason:
                raise ActRefused("form_reason_missing", "Say why it is changed.")
            command = self.desk.command(request, entered, VERB, actor, source_id, reason=reason)
            plan = save_form(changes_of(entered), entered.get("was", ""))
            self.desk.perform_form(request, entered, command, plan)
        except ActRefused as refused:
            return self._page(request, source_id, refused.code, entered)
        return RedirectResponse(f"/forms?form={quote(source_id)}&done=saved", status_code=303)

    def _preview(self, request: Request, entered: dict[str, str] | None) -> Response:
        company = self._company()
        settings = forms(company).get(request.path_params["source_id"])
        if settings is None:
            return Response("There is no such form.\n", status_code=404)
        language: Language = "en" if (entered or request.query_params).get("shown") == "en" else "zh"
        try:
            source = _checked({**settings, **(changes_of(entered) if entered is not None else {})})
        except ActRefused as refused:
            view = View(language_of(request, company.language), company, self.desk.clock(), visitor(request))
            return HTMLResponse(_told(view.word("REFUSALS", refused.code)), 422, _headers())
        values = form_values(source, Posted(pairs=()), {}, language, [])
        return HTMLResponse(WORDING.render(language, "form.html", {**values, "token": ""}), 200, _headers())

    def _page(
        self, request: Request, source_id: str | None, refused: str | None, entered: dict[str, str] | None
    ) -> Response:
        company, who = self._company(), visitor(request)
        found = forms(company)
        chosen = source_id if source_id in found else next(iter(found), None)
        view = View(language_of(request, company.language), company, self.desk.clock(), who)
        values: dict[str, Any] = {
            "view": view,
            "forms": [(key, str(one["name"]), f"/forms?form={quote(key)}") for key, one in found.items()],
            "chosen": chosen,
            "refused": refused,
            "entered": entered or {},
            "done": None if refused else request.query_params.get("done"),
            "new_key": self.desk.new_id,
            "campaigns": [(one.campaign_id, view.named(one)) for one in company.campaigns.values()],
            "actors": []
            if who.person_id
            else [one.person_id for one in company.people.values() if one.state == "active"],
        }
        if chosen is not None:
            settings = found[chosen]
            texts = entered if entered is not None else {key: settings.get(key) or "" for key in _TEXTS}
            asked = entered if entered is not None else asked_in(settings)
            values |= {
                "texts": {key: texts.get(key, "") for key in _TEXTS},
                "offered": offered(asked, view.language),
                "was": entered["was"]
                if entered and "was" in entered and refused != "changed_meanwhile"
                else state_of(settings),
            }
        answer = page(request, view.language, "forms.html", values, 200 if refused is None else 409)
        policy = answer.headers["content-security-policy"]
        answer.headers["content-security-policy"] = f"{policy}; frame-src 'self'"  # the preview
        return answer

    def _company(self) -> Company:
        with self.desk.store.read() as connection:
            return self.desk.companies.get(connection)


def asked_in(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return what a source's form asks, as the page's inputs hold it."""
    asked = settings.get("form") or [one.model_dump() for one in USUAL]
    found: dict[str, str] = {}
    for place, one in enumerate(asked, start=1):
        name = one["field"]
        found |= {
            f"place_{name}": str(place),
            f"zh_{name}": one.get("zh") or "",
            f"en_{name}": one.get("en") or "",
        }
        if one.get("required"):
            found[f"required_{name}"] = "yes"
    return found


def offered(asked: Mapping[str, str], language: Language) -> list[Offered]:
    """Return every field that can be asked for, those that are first, in their order."""
    found = [
        Offered(
            name,
            WORDING.gettext(language, LABELS[name]),
            asked.get(f"place_{name}", "").strip(),
            bool(asked.get(f"required_{name}")),
            asked.get(f"zh_{name}", ""),
            asked.get(f"en_{name}", ""),
        )
        for name in ASKED
    ]
    return sorted(found, key=lambda one: (not one.place, _place(one.place), ASKED.index(one.field)))


def changes_of(entered: Mapping[str, str]) -> dict[str, Any]:
    """Return what was entered as keys of the source: None for what is left empty."""
    asked = sorted(
        (_place(place), number, name)
        for number, name in enumerate(ASKED)
        if (place := entered.get(f"place_{name}", "").strip())
    )
    form = []
    for _, _, name in asked:
        labels = {lang: entered.get(f"{lang}_{name}", "").strip() for lang in ("zh", "en")}
        required = {"required": True} if entered.get(f"required_{name}") else {}
        form.append({"field": name, **required, **{lang: text for lang, text in labels.items() if text}})
    usual = [{"field": one.field} for one in USUAL]
    texts = {key: entered.get(key, "").strip() or None for key in _TEXTS}
    return {**texts, "form": None if form == usual else form}


def _place(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 99_999


def _checked(settings: Mapping[str, Any]) -> WebForm:
    """Return the source with its new settings. Raises ActRefused for what no form can be."""
    try:
        return WebForm.model_validate({key: value for key, value in settings.items() if value is not None})
    except ValidationError as error:
        code = (
            "form_unreachable" if any(one["loc"] == ("form",) for one in error.errors()) else "form_too_long"
        )
        raise ActRefused(code, "This form cannot be; see what the page says.") from None


def _told(text: str) -> str:
    from markupsafe import escape

    return f'<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/f/_/form.css"><main><p class="alert">{escape(text)}</p></main>'


def _headers() -> dict[str, str]:
    return {
        "content-security-policy": _PREVIEW_POLICY,
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }
