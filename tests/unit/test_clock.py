"""New ids are distinct, well formed, and in the order of time, from any number of threads."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

from leadflow.clock import new_id


def test_ids_of_many_threads_are_all_different() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_id(), range(5_000)))
    assert len(set(made)) == 5_000
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in made)


def test_a_later_id_sorts_later() -> None:
    early = new_id()
    time.sleep(0.005)
    assert early < new_id()
