"""Mutations on a small store: viewers, sources, and acts in few words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graph.access import Level, Scope, Viewer
from graph.curation.editing import Action, Write
from graph.curation.gate import Gate
from graph.curation.mutations import Mutation, Mutations, Outcome
from graph.terms import ENTITY
from tests.gates import open_gate, submit
from tests.samples import base, model

MINE = f"{ENTITY}source/mine"
A, B, N = (f"{ENTITY}{name}" for name in ("organisation/a", "organisation/b", "network/n"))
ROLE = f"{ENTITY}concept/role--member"
FOUNDER = f"{ENTITY}concept/role--founder"
JOINED = {"memberOf": N, "role": ROLE, "status": "stated", "evidence": [{"quote": "B joined."}]}
BEGIN = {"title": "Mine", "kind": "user"}


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    opened = open_gate(tmp_path / "store")
    submit(opened, base())
    yield opened
    opened.dataset.close()


@pytest.fixture
def mutations(gate: Gate) -> Mutations:
    return Mutations(gate)


def viewer(name: str = "me", *scopes: Scope, sources: tuple[str, ...] = ()) -> Viewer:
    """A viewer with a token that may write, or has other scopes."""
    chosen = frozenset(scope.value for scope in scopes or (Scope.WRITE,))
    return Viewer(
        name=name,
        level=Level.PUBLIC,
        scopes=chosen,
        nodes_max=1_000,
        query_deadline_s=1.0,
        token="id" + name,
        sources=frozenset(sources),
    )


def class_iri(name: str) -> str:
    """IRI of a class by its name in the API."""
    return model().by_name[name].iri


def create(name: str, values: dict[str, Any], id: str | None = None) -> Write:
    return Write(Action.CREATE, class_iri(name), id, values, ("input",))


def update(name: str, id: str, values: dict[str, Any]) -> Write:
    return Write(Action.UPDATE, class_iri(name), id, values, ("input",))


def delete(id: str, name: str | None = None) -> Write:
    return Write(Action.DELETE, name and class_iri(name), id, {}, ())


def ask(*writes: Write, **options: Any) -> Mutation:
    """A mutation of the source `mine`, which begins it where it is new."""
    given: dict[str, Any] = {"source": MINE, "begin": BEGIN, **options}
    return Mutation(writes=writes, **given)


def run(mutations: Mutations, *writes: Write, who: Viewer | None = None, **options: Any) -> Outcome:
    return mutations.run(ask(*writes, **options), who or viewer())


def places(outcome: Outcome) -> set[tuple[str, str]]:
    """Place in the input and constraint of each violation."""
    return {(".".join(v.place), v.violation.constraint) for v in outcome.violations}


def stated(gate: Gate, id: str, source: str = MINE) -> dict[str, set[str]]:
    """What a source states of an entity: local names of predicates, and values."""
    found: dict[str, set[str]] = {}
    for _, predicate, value, _ in gate.dataset.snapshot.quads_of(f"<{id}>", f"<{source}>"):
        name = predicate[1:-1].replace("#", "/").rpartition("/")[2]
        found.setdefault(name, set()).add(value)
    return found


def named(text: str, lang: str = "en") -> dict[str, Any]:
    """The field `name` with one text."""
    return {"name": [{"text": text, "lang": lang}]}
