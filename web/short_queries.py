"""Answers short SPARQL queries from the snapshot, where they arrive.

Floor 5. A look-up of a few terms takes the engine microseconds, and the way to a worker and back
ten times that. What is surely one basic graph pattern, and surely little work, is matched with
the snapshot here, by a visitor's rights and within a number of steps; whatever is anything else
goes to the workers, with their deadline and limit of memory (decision 0034).
"""

from __future__ import annotations

import time
from functools import cached_property
from typing import Final

from graph.access import Level, anonymous
from graph.settings import Settings
from graph.store.basic import read_basic
from graph.store.dataset import Dataset
from graph.store.guard import Checked
from graph.store.matching import Beside, match
from graph.store.query import Answer, Query

_FORMS: Final = frozenset({"SELECT", "ASK"})


class ShortQueries:
    """What short queries are answered from; for the loop's thread."""

    def __init__(self, settings: Settings, dataset: Dataset) -> None:
        # A server of others is asked all, as it was set up to be.
        self._steps = 0 if settings.sparql else settings.sparql_inline_steps
        self._visitor = anonymous(settings)
        self._dataset = dataset

    @cached_property
    def beside(self) -> Beside:
        """What the engine's store holds and no snapshot does."""
        return Beside(self._dataset.model)

    def answer(self, query: Query, checked: Checked, revision: int) -> Answer | None:
        """Return the answer that the workers would give at their revision, or None: ask them.

        Both say the same in another order of rows: `revision` is what the workers stand at, and
        nothing of what a visitor sees was changed between it and the snapshot.
        """
        if (
            not self._steps
            or query.level is not Level.PUBLIC
            or query.format != "json"
            or checked.form not in _FORMS
            or checked.from_graphs
            or checked.from_named_graphs
            or query.default_graphs
            or query.named_graphs
        ):
            return None
        began = time.perf_counter()
        newest = self._dataset.revision  # before the snapshot, which may then be newer
        snapshot = self._dataset.snapshot_for(self._visitor)
        if not snapshot.revision <= revision <= newest:
            return None
        basic = read_basic(query.text, checked.prologue)
        found = None if basic is None else match(basic, snapshot, self.beside, self._steps)
        if found is None or found.rows > query.rows_max:
            return None
        seconds = time.perf_counter() - began
        return Answer(found.body, revision, found.rows, False, seconds)
