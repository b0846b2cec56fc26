"""The query workers of levels above public, started when the first query comes.

Floor 5. Each level has processes of its own that open its own store, so that no worker ever holds
what those it answers may not read. They end with the level. Used in the event loop alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from graph.access import Level, Viewer
from graph.errors import StoreUnavailableError
from graph.store.workers import QueryPool

if TYPE_CHECKING:
    from graph.settings import Settings
    from graph.store.dataset import Dataset
    from graph.store.follower import Follower
    from graph.store.running import Running

#: Few know these levels: one worker in each lane is enough.
_WORKERS: Final = 1
#: What is told of a store that is being built.
_BUILDING_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Served:
    follower: Follower
    pool: QueryPool


class LevelPools:
    """The pools of the levels above public; `running` returns the queries of all."""

    def __init__(
        self, settings: Settings, dataset: Dataset, running: Callable[[], Running]
    ) -> None:
        self._settings = replace(
            settings, sparql_fast_workers=_WORKERS, sparql_slow_workers=_WORKERS
        )
        self._dataset = dataset
        self._running = running
        self._served: dict[Level, _Served] = {}
        self._turn = asyncio.Lock()
        self._endings: set[asyncio.Task[None]] = set()

    async def at(self, viewer: Viewer) -> QueryPool | None:
        """Return the workers of a viewer's level; None where that is the public one now.

        Raises
        ------
        StoreUnavailableError
            The level's store is being built, or no worker could start.
        """
        level = self._dataset.view_for(viewer).level
        if level is Level.PUBLIC:
            return None
        follower = self._dataset.follower_of(level)
        if follower is None:
            wait = self._settings.revision_wait_s
            follower = await asyncio.to_thread(self._dataset.follower_of, level, wait)
        if follower is None:
            detail = "the SPARQL store of this level is being built: try again in a moment"
            raise StoreUnavailableError(detail, retry_after_s=_BUILDING_S)
        async with self._turn:
            known = self._served.get(level)
            if known is None or known.follower is not follower:
                if known is not None:
                    await known.pool.close()
                    del self._served[level]
                pool = QueryPool(self._settings, follower, self._running())
                try:
                    await pool.start()
                except BaseException:  # who asked left, or none could start
                    await pool.close()
                    raise
                known = self._served[level] = _Served(follower, pool)
        return known.pool

    def sweep(self) -> None:
        """End the workers of levels that there no longer are."""
        present = {view.level for view in self._dataset.levels.views}
        for level in [level for level in self._served if level not in present]:
            ending = asyncio.get_running_loop().create_task(self._served.pop(level).pool.close())
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def close(self) -> None:
        """End all workers."""
        served, self._served = list(self._served.values()), {}
        await asyncio.gather(*self._endings, *(each.pool.close() for each in served))
