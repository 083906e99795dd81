"""Lines to PostgreSQL: one that can be cut in the middle of a COMMIT, and one by TCP that takes its time."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import Literal

Cut = Literal["before", "after"]


class CommitCutter:
    """Listens where a client looks for the server's socket, and passes on what both say."""

    def __init__(self, folder: Path, server_folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._server = str(server_folder / ".s.PGSQL.5432")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen(64)
        self._lock = threading.Lock()
        self._next: Cut | None = None
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_next(self, cut: Cut) -> None:
        """Cut the line at the next COMMIT that a writing transaction sends."""
        with self._lock:
            self._next = cut

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            drop = threading.Event()
            threading.Thread(target=self._to_server, args=(client, server, drop), daemon=True).start()
            threading.Thread(target=self._to_client, args=(client, server, drop), daemon=True).start()

    def _take_cut(self) -> Cut | None:
        with self._lock:
            cut, self._next = self._next, None
            self.cuts += cut is not None
            return cut

    def _to_server(self, client: socket.socket, server: socket.socket, drop: threading.Event) -> None:
        wrote = False
        try:
            while data := client.recv(65_536):
                wrote = wrote or b"INSERT INTO" in data or b"UPDATE" in data
                if b"COMMIT" in data and wrote:
                    wrote = False
                    cut = self._take_cut()
                    if cut == "before":
                        break
                    if cut == "after":
                        drop.set()
                server.sendall(data)
        except OSError:
            pass
        finally:
            _shut(client, server)

    def _to_client(self, client: socket.socket, server: socket.socket, drop: threading.Event) -> None:
        try:
            while data := server.recv(65_536):
                if drop.is_set():
                    break
                client.sendall(data)
        except OSError:
            pass
        finally:
            _shut(client, server)


class TcpLine:
    """A port of this machine behind which PostgreSQL answers, each time `delay_s` later than it would."""

    def __init__(self, server_folder: Path, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self._server = str(server_folder / ".s.PGSQL.5432")
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, of_socket: str) -> str:
        """Return the URL of this line for that of the server's socket."""
        return f"{of_socket.split('?', maxsplit=1)[0]}?host=127.0.0.1&port={self.port}"

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            for one, other, late in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pass_on, args=(one, other, late), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket, late: bool) -> None:
        try:
            while data := one.recv(65_536):
                if late:
                    time.sleep(self.delay_s)
                other.sendall(data)
        except OSError:
            pass
        finally:
            _shut(one, other)


def _shut(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
