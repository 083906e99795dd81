"""The receiving ends of group robots, as their vendors document them: they check key and signature, and answer 200 with a code."""

from __future__ import annotations

import hmac
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

KEY, TOKEN, SIGNING, HOOK = "693a91f6-7xxx-4bc4-97a0", "bfea1c8d02", "SECa7b1", "hook-0c2e"
HOUR_S = 3_600


@dataclass
class Vendor:
    """One vendor's server on a port of its own. `code` is what the next answers say; 0: it was shown in the group."""

    check: Callable[[str, dict[str, list[str]], dict[str, Any]], int]
    name: str
    code: int = 0
    status: int = 200
    shown: list[dict[str, Any]] = field(default_factory=list)
    came: int = 0

    def __post_init__(self) -> None:
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                content = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
                parts = urlsplit(self.path)
                vendor.came += 1
                wrong = vendor.check(parts.path, parse_qs(parts.query), content)
                code = wrong or vendor.code
                if code == 0 and vendor.status == 200:
                    vendor.shown.append(content)
                said = (
                    {"code": code, "msg": "x", "data": {}}
                    if vendor.name == "feishu"
                    else {"errcode": code, "errmsg": "x"}
                )
                body = orjson.dumps(said)
                self.send_response(vendor.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/robot"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def wecom() -> Vendor:
    """93000: no such robot. 45008: too long. Markdown up to 4,096 bytes."""

    def check(path: str, query: dict[str, list[str]], content: dict[str, Any]) -> int:
        if path != "/robot" or query != {"key": [KEY]}:
            return 93000
        if content.keys() != {"msgtype", "markdown"} or content["msgtype"] != "markdown":
            return 40008
        return 45008 if len(content["markdown"]["content"].encode()) > 4_096 else 0

    return Vendor(check, "wecom")


def dingtalk(now_s: Callable[[], float] = time.time) -> Vendor:
    """300001: no such token. 310000: signature or time is wrong (an hour is allowed)."""

    def check(path: str, query: dict[str, list[str]], content: dict[str, Any]) -> int:
        if path != "/robot" or query.get("access_token") != [TOKEN]:
            return 300001
        stamp = query["timestamp"][0]
        digest = hmac.new(SIGNING.encode(), f"{stamp}\n{SIGNING}".encode(), "sha256").digest()
        if query["sign"] != [b64encode(digest).decode()] or abs(now_s() - int(stamp) / 1_000) > HOUR_S:
            return 310000
        return 0 if content["msgtype"] == "markdown" and content["markdown"]["title"] else 40035

    return Vendor(check, "dingtalk")


def feishu(now_s: Callable[[], float] = time.time) -> Vendor:
    """19001: no such hook. 19021: signature or time is wrong (an hour is allowed). 9499: not a message."""

    def check(path: str, query: dict[str, list[str]], content: dict[str, Any]) -> int:
        if path != f"/robot/{HOOK}" or query:
            return 19001
        stamp = content.get("timestamp", "0")
        digest = hmac.new(f"{stamp}\n{SIGNING}".encode(), b"", "sha256").digest()
        if content.get("sign") != b64encode(digest).decode() or abs(now_s() - int(stamp)) > HOUR_S:
            return 19021
        is_card = content["msg_type"] == "interactive" and "elements" in content["card"]
        return 0 if is_card else 9499

    return Vendor(check, "feishu")
