"""Load generators: HTTP over kept connections, and SMTP sessions. They run in a process of their own."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from itertools import cycle, islice
from typing import cast

import httptools
import uvloop

from bench.measure import percentile
from bench.workload import FORM_TYPE, MAIL_ADDRESS, bodies, mails

DISTINCT = 5_000
"""Messages made before the clock starts; afterwards they come again, as new ones without a sender's key."""


@dataclass(frozen=True)
class Load:
    """What was answered in the time given, and how long answers took."""

    answered: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_s: float
    """Of the generator itself: near `seconds`, it is the generator that was measured."""

    @property
    def per_s(self) -> float:
        return self.answered / self.seconds


def http_request(body: bytes) -> bytes:
    """Return one post to the company's form, as bytes on the wire."""
    head = (
        "POST /in/web/site HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\n"
        f"content-type: {FORM_TYPE}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class HttpClient(asyncio.Protocol):
    """One kept connection that asks one thing at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self.closed = False

    @classmethod
    async def connect(cls, port: int) -> HttpClient:
        """Open a connection to this machine."""
        _, client = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return client

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Send a request; the future holds the status and the body of the answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._body = b""
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("closed by the server"))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), self._body))


def http_load(port: int, connections: int, seconds: float) -> Load:
    """Keep `connections` busy for a time; every answer has to be 202."""
    return uvloop.run(_http_load(port, connections, seconds))


async def _http_load(port: int, connections: int, seconds: float) -> Load:
    requests = [http_request(body) for body in islice(bodies(11), DISTINCT)]
    clients = [await HttpClient.connect(port) for _ in range(connections)]
    for client in clients:  # the first answer of a server loads what it needs
        await client.ask(requests[0])
    times: list[float] = []
    until = time.perf_counter() + seconds

    async def work(number: int, client: HttpClient) -> None:
        for request in cycle(requests[number :: len(clients)] or requests):
            sent = time.perf_counter()
            if sent >= until:
                break
            status, _ = await client.ask(request)
            if status != 202:
                raise AssertionError(f"answered {status}")
            times.append(time.perf_counter() - sent)
        client.close()

    return await _measured([work(number, client) for number, client in enumerate(clients)], times)


def smtp_load(port: int, connections: int, seconds: float) -> Load:
    """Keep `connections` SMTP sessions busy for a time; every mail has to be taken (250)."""
    return uvloop.run(_smtp_load(port, connections, seconds))


async def _smtp_load(port: int, connections: int, seconds: float) -> Load:
    waiting = [mail + b".\r\n" for mail in islice(mails(13), DISTINCT)]
    times: list[float] = []
    until = time.perf_counter() + seconds

    async def work(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await _reply(reader, b"220")
        await _say(reader, writer, b"EHLO sender.example", b"250")
        for mail in cycle(waiting[number::connections] or waiting):
            sent = time.perf_counter()
            if sent >= until:
                break
            await _say(reader, writer, b"MAIL FROM:<sender@sender.example>", b"250")
            await _say(reader, writer, b"RCPT TO:<%s>" % MAIL_ADDRESS.encode(), b"250")
            await _say(reader, writer, b"DATA", b"354")
            writer.write(mail)
            await _reply(reader, b"250")
            times.append(time.perf_counter() - sent)
        writer.close()

    return await _measured([work(number) for number in range(connections)], times)


async def _say(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: bytes, expected: bytes
) -> None:
    writer.write(command + b"\r\n")
    await _reply(reader, expected)


async def _reply(reader: asyncio.StreamReader, expected: bytes) -> None:
    line = await reader.readline()
    while line[3:4] == b"-":
        line = await reader.readline()
    if not line.startswith(expected):
        raise AssertionError(f"answered {line!r}, not {expected!r}")


async def _measured(work: list, times: list[float]) -> Load:  # type: ignore[type-arg]
    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*work)
    seconds = time.perf_counter() - started
    return Load(
        answered=len(times),
        seconds=seconds,
        p50_ms=percentile(times, 0.5) * 1_000,
        p99_ms=percentile(times, 0.99) * 1_000,
        cpu_s=time.process_time() - cpu,
    )
