"""What went wrong with a delivery, by code: what it means, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

MEANINGS: Mapping[str, str] = {
    "timeout": "The destination took the connection and did not answer in time.",
    "unreachable": "Nobody answers at the destination, or the connection broke off.",
    "bad_certificate": "The destination shows a certificate that this machine does not trust.",
    "busy": "The destination asked to be left alone for a while.",
    "broken": "The destination answered with a fault of its own.",
    "gone": "The destination says that this address is no longer in use.",
    "redirected": "The destination has moved; redirects are not followed.",
    "refused": "The destination refused this for good.",
    "no_address": "The person has left or has no mail address any more.",
    "no_secret": "The sink has no secret.",
    "no_starttls": "The relay offers no encryption.",
    "login_refused": "The relay refused user or password.",
    "bad_sink": "The settings of this sink are wrong.",
    "bug": "Leadflow broke on this.",
}

HINTS: Mapping[str, str] = {
    "timeout": "Look whether the destination works, then replay.",
    "unreachable": "Check its address and the network, then replay.",
    "bad_certificate": "Have it renewed, or let this machine trust who issued it; then replay.",
    "busy": "Ask the destination for more room, then replay.",
    "broken": "Ask whoever runs the destination to look at its log, then replay.",
    "gone": "Correct the address, or switch the sink off; then replay or discard.",
    "redirected": "Write the new address into the sink's url, apply it, then replay.",
    "refused": "See the status: correct the sink or the destination, then replay.",
    "no_address": "Write an address into people.csv and apply it, then replay; or discard.",
    "no_secret": "Write the secret into the sink and apply it, then replay.",
    "no_starttls": "Have it offered there, or choose another tls for the sink; then replay.",
    "login_refused": "Correct user and secret of the sink and apply them, then replay.",
    "bad_sink": "leadflow check names the fix; apply it, then replay.",
    "bug": "A fault of Leadflow: keep it, report it, and replay it after the update.",
}


def said(code: str, answer: str | None, tries: int) -> str:
    """Return the message of a dead letter: what it means, the status that was answered, and how often it was tried."""
    status = f" ({answer})" if answer else ""
    return f"{MEANINGS[code]}{status} Tried {tries} times." if tries > 1 else f"{MEANINGS[code]}{status}"
