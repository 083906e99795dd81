"""A port whose packets vanish without a word, in both directions: nobody is refused, and nobody is answered."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silence(port: int) -> Iterator[None]:
    """Drop every packet from and to a TCP port of this machine until the block ends, by a table of nftables."""
    table = f"leadflow_test_{port}"
    rules = f"""
        table inet {table} {{
            chain silent {{
                type filter hook input priority 0;
                tcp dport {port} drop
                tcp sport {port} drop
            }}
        }}
    """
    subprocess.run(["nft", "-f", "-"], input=rules.encode(), check=True)
    try:
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "inet", table], check=True)
