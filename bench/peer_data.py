"""The data that the peers get: merged triples, each question of which value answers settled.

Neither rdflib nor Oxigraph knows of sources that contradict each other. Their users would settle
that while loading, so it is settled here and costs the peers nothing at the time of asking.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from graph.model import FieldKind
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.dataset import Dataset
from graph.store.snapshot import Snapshot
from graph.terms import read_literal

Triple = tuple[str, str, str]


def answered_triples(snapshot: Snapshot) -> Iterator[Triple]:
    """Yield what the snapshot answers, each triple once, with the concepts of the schemes."""
    model = snapshot.model
    texts = {
        f"<{field.path}>"
        for shape in model.classes.values()
        for field in shape.own_fields
        if field.kind is FieldKind.TEXT and field.unique_language
    }
    single = {f"<{predicate}>" for predicate in model.single_predicates}
    best: dict[tuple[str, str, str | None], tuple[int, str]] = {}
    others: dict[Triple, None] = {}
    for subject, predicate, value, graph in snapshot.quads():
        if predicate in texts or predicate in single:
            language = read_literal(value)[2] if predicate in texts else None
            key = (subject, predicate, language)
            found = (snapshot.source_order(graph), value)
            best[key] = min(best.get(key, found), found)
        else:
            others[subject, predicate, value] = None
    yield from ((s, p, value) for (s, p, _), (_, value) in best.items())
    yield from others
    yield from ((s, p, o) for s, p, o, _ in model.system_quads)


def write_peer_data(store: Path, path: Path) -> None:
    """Write the answered triples of a store as N-Triples."""
    dataset = Dataset.open(replace(Settings(), store=store), load_model(), with_store=False)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{s} {p} {o} .\n" for s, p, o in answered_triples(dataset.snapshot))
    dataset.close()
