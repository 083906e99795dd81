"""What listens to what Leadflow sends out: a mailbox and a webhook's receiver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postbox import Postbox
from tests.support.receiver import Receiver


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    made = Postbox()
    made.open()
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    made.open()
    yield made
    made.close()
