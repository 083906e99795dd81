"""Passwords and second factors: judged, hashed and checked. Slow on purpose; nothing here touches the store."""

from __future__ import annotations

import hmac
import os
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from threading import BoundedSemaphore

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SHORTEST, LONGEST = 10, 200
EASY = 3
"""Below this score of zxcvbn (0 to 4) a password falls to some 10^8 guesses: too few for one that is kept for years."""
_NONCE = 12
STEP_S = 30
"""RFC 6238, as every authenticator app has it."""


@dataclass(frozen=True)
class Passwords:
    """Hashes and checks passwords with argon2id (RFC 9106, its second recommended setting), two at a time.

    Each check takes 64 MiB: without a limit, whoever sends wrong passwords by the thousand takes all memory.
    """

    hasher: PasswordHasher = field(default_factory=PasswordHasher)
    at_once: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(2))

    def hash(self, password: str) -> str:
        """Return a password's hash, with its salt and parameters."""
        with self.at_once:
            return self.hasher.hash(password)

    def fits(self, password: str, hashed: str | None) -> bool:
        """Tell whether a password is the one of a hash. Nobody's (None) takes as long as somebody's."""
        with self.at_once:
            try:
                return self.hasher.verify(hashed or self._nobodys, password) and hashed is not None
            except (VerificationError, InvalidHashError):
                return False

    @cached_property
    def _nobodys(self) -> str:
        return self.hasher.hash(os.urandom(16).hex())


def weakness(password: str, known: Collection[str]) -> str | None:
    """Return why a password will not do (`too_short`, `too_long`, `too_easy`), None if it will.

    `known` are words that somebody would try first: name, code and company. Judged by zxcvbn, which counts the
    guesses that a program needs that knows words, names, dates and keyboards.
    """
    from zxcvbn import zxcvbn  # 0.1 s of word lists, for the few who choose a password

    if len(password) < SHORTEST:
        return "too_short"
    if len(password) > LONGEST:
        return "too_long"
    judged = zxcvbn(password[:72], user_inputs=[one for one in known if one])
    return "too_easy" if judged["score"] < EASY else None


@dataclass(frozen=True)
class SecondFactors:
    """Time-based codes (TOTP, RFC 6238), and how their secrets are kept: sealed under a key of the master key."""

    key: bytes

    def made(self) -> str:
        """Return a new secret as authenticator apps take it (Base32)."""
        return pyotp.random_base32()

    def address(self, secret: str, person: str, company: str) -> str:
        """Return the `otpauth:` address that the picture for the app holds."""
        return pyotp.TOTP(secret).provisioning_uri(name=person, issuer_name=f"Leadflow {company}")

    def seal(self, secret: str, person_id: str) -> bytes:
        """Seal a secret; it opens for this person only."""
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self.key).encrypt(nonce, secret.encode(), person_id.encode())

    def open(self, sealed: bytes, person_id: str) -> str | None:
        """Return a sealed secret; None under another master key, or if it was another person's."""
        try:
            return AESGCM(self.key).decrypt(sealed[:_NONCE], sealed[_NONCE:], person_id.encode()).decode()
        except InvalidTag:
            return None

    def step(self, secret: str, code: str, now_us: int) -> int | None:
        """Return the step of a code that is right now, or was half a minute ago or will be; None if it is wrong."""
        now = now_us // (STEP_S * 1_000_000)
        given = "".join(code.split())
        found = None
        for step in (now - 1, now, now + 1):
            if hmac.compare_digest(pyotp.TOTP(secret).generate_otp(step).encode(), given.encode()):
                found = step
        return found
