"""A dataset as a plain set of quads: the obviously right counterpart of the snapshot."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from graph.model import Model
from graph.store.commit import Change, Commit, Position, follow
from graph.store.snapshot import TYPE
from graph.store.sources import RANK, RETRIEVED
from graph.terms import ENTITY, RZ, SKOS, XSD, Quad, read_literal, write_literal

SOURCES = tuple(f"<{ENTITY}source/s{number}>" for number in range(5))
ORGANISATIONS = tuple(f"<{ENTITY}organisation/o{number}>" for number in range(300))
MEMBERSHIPS = tuple(f"<{ENTITY}membership/m{number}>" for number in range(40))
FOUNDED = f"{RZ}foundedText"
HOMEPAGE = "https://schema.org/url"


class Beginning:
    """The place before the first commit."""

    revision = 0
    time = ""
    dataset_hash = 0
    quad_count = 0


def commit_of(added: Iterable[Quad], removed: Iterable[Quad], after: Commit | None) -> Commit:
    """Return a commit of an effective change after another one."""
    last: Position = Beginning() if after is None else after
    change = Change((), (), "test", "load", "a test")
    return follow(last, change, added, removed, "0.1.0")


def random_quads(random_: random.Random, size: int) -> set[Quad]:
    """Return quads that meet every kind of column: one, many, contested, long, system terms."""
    quads: set[Quad] = set()
    for _ in range(size):
        graph = random_.choice(SOURCES)
        subject = random_.choice(ORGANISATIONS)
        kind = random_.randrange(7)
        if kind == 0:
            class_ = random_.choice(("Cluster", "Organisation", "Company"))
            quads.add((subject, f"<{TYPE}>", f"<{RZ}{class_}>", graph))
        elif kind == 1:
            name = write_literal(
                f"name {random_.randrange(50)}", language=random_.choice(("en", "fr"))
            )
            quads.add((subject, f"<{SKOS}prefLabel>", name, graph))
        elif kind == 2:
            year = write_literal(str(2000 + random_.randrange(9)))
            quads.add((subject, f"<{FOUNDED}>", year, graph))
        elif kind == 3:
            text = write_literal("é" * random_.randrange(20, 200), language="fr")
            quads.add((subject, "<http://purl.org/dc/terms/description>", text, graph))
        elif kind == 4:
            membership = random_.choice(MEMBERSHIPS)
            quads.add((membership, "<http://www.w3.org/ns/org#member>", subject, graph))
        elif kind == 5:
            rank = write_literal(str(random_.randrange(30)), f"{XSD}integer")
            quads.add((graph, f"<{RANK}>", rank, graph))
        else:
            date = write_literal(f"2020-01-{random_.randrange(10, 30)}", f"{XSD}date")
            quads.add((graph, f"<{RETRIEVED}>", date, graph))
    return quads


def random_history(model: Model, seed: int, length: int) -> Iterator[tuple[Commit, set[Quad]]]:
    """Yield commits with the set of quads that stands after each."""
    random_ = random.Random(seed)
    held: set[Quad] = set()
    last: Commit | None = None
    for _ in range(length):
        added = random_quads(random_, random_.randrange(1, 60)) - held
        removed = set(random_.sample(sorted(held), min(len(held), random_.randrange(0, 30))))
        removed -= added
        held = (held - removed) | added
        last = commit_of(added, removed, last)
        yield last, set(held)


def answering(quads: set[Quad], births: dict[str, int], subject: str, predicate: str) -> str | None:
    """Return the value that answers by rank, date, revision and IRI of its source."""
    stated = [(g, o) for s, p, o, g in quads if (s, p) == (subject, f"<{predicate}>")]

    def own(graph: str, wanted: str) -> str | None:
        found = [o for s, p, o, g in quads if s == g == graph and p == f"<{wanted}>"]
        return read_literal(min(found))[0] if found else None

    def key(pair: tuple[str, str]) -> tuple[object, ...]:
        graph, value = pair
        date = own(graph, RETRIEVED)
        later_first = tuple(-ord(c) for c in date) if date else (1,)
        return (
            -int(own(graph, RANK) or 0),
            date is None,
            later_first,
            -births[graph],
            graph,
            value.removesuffix(">"),
        )

    return min(stated, key=key)[1] if stated else None
