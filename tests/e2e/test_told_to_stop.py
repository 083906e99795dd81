"""What is told to stop comes to its end by itself: what stands behind the serving, as a backup under way, is done."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from tools.servers import free_port

_SERVES = """
import sys
from contextlib import asynccontextmanager
from starlette.applications import Starlette
from leadflow.server import serve_app

@asynccontextmanager
async def lifespan(_app):
    print("up", flush=True)
    yield

serve_app(Starlette(lifespan=lifespan), "127.0.0.1", int(sys.argv[1]))
print("what comes after", flush=True)
"""


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_what_comes_after_the_serving_is_done(told: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _SERVES, str(free_port())], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        time.sleep(0.1)
        process.send_signal(told)
        assert process.stdout.read() == "what comes after\n"
        assert process.wait(10) == 0
