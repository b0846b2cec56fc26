"""What drawn operations cost: documents drawn from the schema, with values of the data.

In process: processor time of one thread, from the document to the answer's objects. Each document
is answered twice: once new, with parsing, validation and compiling, and once with its plan known;
nothing of an answer is kept between the two.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.draws import Draws
from bench.tables import Cell, Table, judge, percentile
from graph.access import anonymous
from graph.model import Model
from graph.settings import Settings
from graph.store.dataset import Dataset
from graph.store.snapshot import Snapshot
from graph.terms import ENTITY
from schema.execute import Engine, Prepared, Request
from schema.loading import load_schema
from tests.documents import Documents

_BOUND_MS: Final = 20.0
_SHARE: Final = 95.0
_VALUES: Final = 3_000
_A_SEED: Final = 100


def table_generated(store: Path, model: Model, count: int, title: str) -> Table:
    """Return the table: how the cost of so many drawn operations is spread."""
    dataset = Dataset.open(replace(Settings(), store=store), model, with_store=False)
    try:
        snapshot = dataset.snapshot
        snapshot.search.build(snapshot)
        threshold = gc.get_threshold()
        gc.collect()
        gc.freeze()  # as the service does when it has started
        gc.set_threshold(100_000, 50, 100)
        new, known, refused = _measure(snapshot, model, count)
        gc.set_threshold(*threshold)
    finally:
        gc.unfreeze()
        dataset.close()
    rows = [_row("plan known", known), _row("document new", new)]
    heads = ("operation", "answered", "% under 20 ms", "p50 ms", "p95 ms", "p99 ms", "most ms")
    told = ", ".join(f"{number} {code}" for code, number in sorted(refused.items())) or "none"
    share = float(rows[0][2])
    notes = (
        f"Share under {_BOUND_MS:g} ms with the plan known: {share:.1f} % "
        f"({judge(share, _SHARE, at_least=True)}). Refused of {count:,} drawn: {told}.",
    )
    return Table(f"Drawn operations, {title}", heads, rows, notes)


def _measure(
    snapshot: Snapshot, model: Model, count: int
) -> tuple[list[float], list[float], Counter[str]]:
    """Return milliseconds with a new document and with a known plan, and codes of refusals."""
    engine = Engine(model, load_schema(model), Settings())
    viewer = anonymous(engine.settings)
    new, known, refused = list[float](), list[float](), Counter[str]()
    for document in _documents(snapshot, engine, count):
        request = Request(document, languages=("en", "fr"))
        times = []
        for _ in range(2):
            began = time.thread_time()
            prepared = engine.prepare(request, snapshot, viewer)
            answer = engine.run(prepared) if isinstance(prepared, Prepared) else prepared
            times.append((time.thread_time() - began) * 1000)
        errors = getattr(answer, "errors", ())
        if errors:
            refused[errors[0]["extensions"]["code"]] += 1
            continue
        new.append(times[0])
        known.append(times[1])
    return new, known, refused


def _documents(snapshot: Snapshot, engine: Engine, count: int) -> Iterator[str]:
    identifiers, texts = _values(snapshot)
    for seed in range(-(-count // _A_SEED)):
        documents = Documents(engine.schema, seed, identifiers, texts)
        for _ in range(min(_A_SEED, count - seed * _A_SEED)):
            yield documents.draw()


def _values(snapshot: Snapshot) -> tuple[list[str], list[str]]:
    """Return identifiers and texts that occur in the data, some of each."""
    identifiers, texts, terms = [], [], snapshot.terms
    for number, term in terms.all():
        if term.startswith(f"<{ENTITY}"):
            identifiers.append(term[1:-1])
        elif term.startswith('"') and not terms.is_long(number):
            text = terms.text(number)
            if text and text.isprintable() and "\\" not in text and '"' not in text:
                texts.append(text)
    return _some(identifiers), _some(texts)


def _some(values: list[str]) -> list[str]:
    ordered, draws = sorted(values), Draws(11, 11)
    return [ordered[draws.below(len(ordered))] for _ in range(_VALUES)]


def _row(name: str, times: list[float]) -> tuple[Cell, ...]:
    share = 100 * sum(each < _BOUND_MS for each in times) / max(1, len(times))
    return (name, len(times), share, *(percentile(times, p) for p in (50, 95, 99, 100)))
