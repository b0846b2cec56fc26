"""SPARQL workers for one command on a store that no server has open.

Floor 5. The same processes as a server's, with their deadline and their limits, one in each lane;
their event loop has a thread of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from graph.errors import StoreUnavailableError
from graph.store.workers import QueryPool

if TYPE_CHECKING:
    from graph.settings import Settings
    from graph.store.dataset import Dataset
    from graph.store.pool import Pool

#: How long the SPARQL store may take to follow the log; building a large one takes minutes.
_STORE_WAIT_S = 3_600.0


@contextmanager
def local_pool(settings: Settings, dataset: Dataset) -> Iterator[Pool]:
    """Give workers on the newest revision of a dataset that is open with its SPARQL store.

    Raises
    ------
    StoreUnavailableError
        The SPARQL store does not follow, or no worker can be started.
    """
    if not dataset.wait_for_store(dataset.revision, _STORE_WAIT_S):
        raise StoreUnavailableError("the SPARQL store does not follow the log; see the log")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sparql", daemon=True)
    thread.start()

    def run(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result()

    one = replace(settings, sparql_fast_workers=1, sparql_slow_workers=1)
    pool = QueryPool(one, dataset)
    try:
        run(pool.start())
        yield pool
    finally:
        run(pool.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
