"""Large bodies beside the stream: the object lies in a store that every machine reaches, the message says where.

By the CloudEvents extension `dataref`
(https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/dataref.md), known as a claim check. What is stored is
sealed like everything on the topics: when its key is erased, nobody can read it any more.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from store.files import sync
from stream.kafka.message import Headers, Message
from stream.kafka.producer import BrokersAway

BESIDE_BYTES = 256 * 1024
"""What is larger goes beside the stream: brokers move messages best that are far below 1 MB."""
ANSWER_S = 10
"""How long one object may take, and how long a store that fails is tried again within one call."""
_HEADER = "ce_dataref"
_CHECK = "check"


class ContentAway(BrokersAway):
    """The store of large bodies did not answer, or is not set here: as with brokers that are away, try again."""


class ContentGone(ValueError):
    """The store answers, and the object that a message names is not in it."""


class NoFolder(ValueError):
    """The folder for large bodies is not there."""


class Content:
    """The store of large bodies: a folder that all machines share (`file:///…`), or a bucket (`s3://bucket/prefix`).

    For a bucket the usual `AWS_…` variables hold credentials, region and endpoint. Without a URL everything stays in
    the messages. Safe to use from several threads. Raises NoFolder.
    """

    def __init__(self, url: str | None) -> None:
        self.url = url
        self._folder: Path | None = None
        self._store: ObjectStore | None = None
        if url is None:
            return
        # Plain HTTP only if the endpoint says so, as one in the same rack may: what passes is sealed and signed.
        more: dict[str, Any] = {
            "client_options": {"timeout": f"{ANSWER_S}s", "connect_timeout": "5s", "allow_http": True},
            "retry_config": {"max_retries": 2, "retry_timeout": timedelta(seconds=ANSWER_S)},
        }
        if url.startswith("file:"):
            self._folder = Path(unquote(urlsplit(url).path))
            if not self._folder.is_dir():  # made here, it would hide that a disk is not mounted
                raise NoFolder(f"{self._folder} does not exist: make it, or mount what it stands for")
            more = {}
        self._store = from_url(url, **more)

    def beside(self, message: Message) -> Message:
        """Put a large body into the store, on its disk when this returns, and return the message that names it.

        A small one is returned as it is. Putting the same again does no harm. Raises ContentAway.
        """
        if self._store is None or len(message.value) <= BESIDE_BYTES:
            return message
        name = f"{message.topic}/{dict(message.headers)['ce_id'].decode()}"
        self._put(self._store, name, message.value)
        return replace(message, value=b"", headers=[*message.headers, (_HEADER, name.encode())])

    def value(self, headers: Headers, value: bytes) -> bytes:
        """Return the body of a message, wherever it lies. Raises ContentAway, ContentGone."""
        name = dict(headers).get(_HEADER)
        if name is None:
            return value
        if self._store is None:
            raise ContentAway("a body lies beside the stream, and LEADFLOW_CONTENT does not say here where")
        try:
            return bytes(obstore.get(self._store, name.decode()).bytes())
        except FileNotFoundError:
            raise ContentGone(f"its body {name.decode()} is not in {self.url}") from None
        except (BaseError, OSError) as error:
            raise ContentAway(f"the store of large bodies fails: {type(error).__name__}") from None

    def check(self) -> None:
        """Write and read an object, the same each time. Raises ContentAway, ContentGone."""
        if self._store is not None:
            self._put(self._store, _CHECK, b"check")
            self.value([(_HEADER, _CHECK.encode())], b"")

    def _put(self, store: ObjectStore, name: str, body: bytes) -> None:
        try:
            obstore.put(store, name, body)
            if self._folder is not None:  # the library renames into place, but does not wait for the disk
                path = self._folder / name
                for one in (path, path.parent, self._folder):
                    sync(one)
        except (BaseError, OSError) as error:
            raise ContentAway(f"the store of large bodies fails: {type(error).__name__}") from None
