"""Sealing of personal data in every append-only place, under one key per capture.

AES-256-GCM with a random 96-bit nonce; the event id is authenticated too, so that no sealed text can be
moved to another event. A capture's key is stored wrapped by the master key (AES key wrap, RFC 3394).
Erasing a person deletes the keys: what was sealed under them stays noise, in every backup as well.
"""

from __future__ import annotations

import hmac
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cachetools import LRUCache
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from store.files import sync

_NONCE = 12
_CACHED_KEYS = 20_000
"""Keys kept in memory: some 4 MB, and a backlog of 20,000 leads is worked off without reading one twice."""


class Erased(LookupError):
    """The key of this event was deleted: the person behind it has been erased."""


def master_key(path: Path) -> bytes:
    """Read the master key, or make one (mode 0600) when there is none.

    Raises ValueError if the file does not hold 32 bytes: a wrong key must never be used to seal.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = path.read_bytes()
        if len(key) != 32:
            raise ValueError(
                f"{path} holds {len(key)} bytes, a master key has 32. Put the right file back from the backup; "
                "without it nothing received so far can be read."
            ) from None
        return key
    with os.fdopen(descriptor, "wb") as file:
        key = os.urandom(32)
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)
    return key


def unwraps(master: bytes, wrapped: bytes) -> bool:
    """Tell whether a wrapped capture key is one of this master key."""
    try:
        aes_key_unwrap(master, wrapped)
    except InvalidUnwrap:
        return False
    return True


def opens_with(master: bytes, event_id: str, wrapped: bytes, sealed: bytes) -> bool:
    """Tell whether a sealed event opens under its wrapped key and this master key."""
    try:
        key = aes_key_unwrap(master, wrapped)
        AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], event_id.encode())
    except (InvalidUnwrap, InvalidTag):
        return False
    return True


class KeyRing:
    """The capture keys: made at the door, fetched by the stages, forgotten at an erasure.

    `fetch` reads wrapped keys by key id from where the door stored them; ids it does not return are erased.
    Safe to use from several threads.
    """

    def __init__(self, master: bytes, fetch: Callable[[Iterable[str]], Mapping[str, bytes]]) -> None:
        self._master = master
        self.hash_secret = hmac.digest(master, b"leadflow erased identifiers", "sha256")
        """Key of the hashes by which erased identifiers are known again."""
        self.link_secret = hmac.digest(master, b"leadflow links in mails", "sha256")
        """Key of the one-time links in mails, so that a mail sent again carries the same one."""
        self.second_factor_key = hmac.digest(master, b"leadflow second factors", "sha256")
        """Seals the secrets of second factors (AES-256)."""
        self.probe_token = hmac.digest(master, b"leadflow probes", "sha256").hex()
        """Marks a probe where several processes have doors: whoever has the master key may probe each of them."""
        self._fetch = fetch
        self._keys: LRUCache[str, AESGCM] = LRUCache(_CACHED_KEYS)
        self._lock = threading.Lock()

    def make(self, key_id: str) -> bytes:
        """Make the key of a new capture; return it wrapped, to be stored in the capture's transaction."""
        key = os.urandom(32)
        with self._lock:
            self._keys[key_id] = AESGCM(key)
        return aes_key_wrap(self._master, key)

    def load(self, key_ids: Iterable[str]) -> None:
        """Fetch the keys that are not in memory, all at once."""
        with self._lock:
            missing = {key_id for key_id in key_ids if key_id not in self._keys}
        if not missing:
            return
        wrapped = self._fetch(missing)
        with self._lock:
            for key_id, text in wrapped.items():
                self._keys[key_id] = AESGCM(aes_key_unwrap(self._master, text))

    def forget(self, key_ids: Iterable[str]) -> None:
        """Drop keys from memory, after they were deleted."""
        with self._lock:
            for key_id in key_ids:
                self._keys.pop(key_id, None)

    def seal(self, key_id: str | None, event_id: str, data: bytes) -> bytes:
        """Seal data; with no key id it holds no personal data and stays as it is."""
        if key_id is None:
            return data
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher(key_id).encrypt(nonce, data, event_id.encode())

    def open(self, key_id: str | None, event_id: str, sealed: bytes) -> bytes:
        """Return what was sealed. Raises Erased if the key is gone, ValueError if the bytes were altered."""
        if key_id is None:
            return sealed
        try:
            return self._cipher(key_id).decrypt(sealed[:_NONCE], sealed[_NONCE:], event_id.encode())
        except InvalidTag:
            raise ValueError(
                f"event {event_id} does not open under its key: altered, or another master key"
            ) from None

    def need(self, key_id: str | None) -> None:
        """Raise Erased if the key is gone."""
        if key_id is not None:
            self._cipher(key_id)

    def _cipher(self, key_id: str) -> AESGCM:
        with self._lock:
            cipher = self._keys.get(key_id)
        if cipher is None:
            self.load([key_id])
            with self._lock:
                cipher = self._keys.get(key_id)
        if cipher is None:
            raise Erased(key_id)
        return cipher
