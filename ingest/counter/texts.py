"""The texts of the front desk's page: its catalogue, its templates, and what each mistake is called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from answers.wording import Wording
from schemas.base import Language
from schemas.results import Refused

WORDING = Wording(Path(__file__).parent)


def N_(text: str) -> str:
    """Return the text; the catalogue's extractor looks for this name."""
    return text


MISTAKES: Mapping[str, str] = {
    "nobody": N_("Say who it is: a name or a phone number is enough, or the mark for anonymous."),
    "no_name": N_("Say who it is: this desk needs a name."),
    "no_phone": N_("Say who it is: this desk needs a phone number."),
    "phone_unreadable": N_("There is no telephone number in this. Correct it, or leave it empty."),
    "phone_cut": N_("A spreadsheet has rounded this number. Take it from the original."),
    "named_anonymous": N_("Marked as anonymous, yet there is a name or number. Take one of them away."),
    "no_consent": N_("Ask the visitor to agree; without consent, enter the visit as anonymous."),
    "unknown_desk": N_("There is no desk of this name any more. Choose another one."),
    "bad_code": N_("Choose who is typing by two digits."),
    "unknown_type": N_("Choose the type of visit."),
    "unreadable": N_("What was sent could not be read. Reload the page and enter it again."),
    "too_large": N_("That was too much text. Shorten the note."),
    "too_slow": N_("The connection was too slow. Save it again; nothing typed is lost."),
    "overloaded": N_("Too much is being saved right now. Save it again in a few seconds."),
}
"""What to tell the person who types, by code; the rest cannot be typed on the page."""


def mistake(refused: Refused, language: Language) -> str:
    """Return what to tell the person who types."""
    return WORDING.gettext(language, MISTAKES.get(refused.code, MISTAKES["unreadable"]))
