"""A full scan of an Oxigraph store: what it really holds, against what its stamp says.

Floor 1. It runs in a worker process beside the service, or in `check`; it must not know of logs
or snapshots.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import pyoxigraph as ox

from graph.store.stamp import SYSTEM_GRAPH, Stamp, digest_quads, read_stamps
from graph.terms import HASH_MODULUS, Quad, hash_quad, is_literal, read_literal, write_literal

_Index = Literal["subject", "predicate", "object"]
_Node = ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple
_Graph = ox.NamedNode | ox.BlankNode | ox.DefaultGraph
_DEFAULT_GRAPH = ox.DefaultGraph()


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan counted.

    `unmerged` are triples of named graphs that the default graph lacks, `unstated` triples of
    the default graph that no named graph states; `miscounted` says which index holds another
    number of statements than the table they are read from.
    """

    dataset_hash: int
    quad_count: int
    total: int
    system_digest: str
    unmerged: int
    unstated: int
    miscounted: tuple[str, ...]

    def faults(self, stamp: Stamp) -> tuple[str, ...]:
        """Return what differs from the stamp, in words; empty for a sound store."""
        checks = {
            f"{self.quad_count} quads, {stamp.quad_count} stated": (
                self.quad_count != stamp.quad_count
            ),
            "the dataset hash differs": self.dataset_hash != stamp.dataset_hash,
            f"{self.total} statements, {stamp.total} stated": self.total != stamp.total,
            "the ontology's quads differ": self.system_digest != stamp.system_digest,
            f"{self.unmerged} triples are missing from the default graph": self.unmerged > 0,
            f"{self.unstated} triples of the default graph have no source": self.unstated > 0,
            "a large change did not end": stamp.is_partial,
        }
        return tuple(text for text, is_wrong in checks.items() if is_wrong) + self.miscounted


def read_stamp(database: ox.Store) -> Stamp | None:
    """Return the stamp of a store; None where it has none, or more than one."""
    try:
        names = [g.value for g in database.named_graphs() if isinstance(g, ox.NamedNode)]
        stamps = read_stamps(names)
    except ValueError:
        return None
    return stamps[0] if len(stamps) == 1 else None


def scan_store(database: ox.Store, *, is_deep: bool = False) -> Scan:
    """Return what the whole store holds.

    Cost: about 12 microseconds a statement; `is_deep` reads every index, also graph by graph,
    which takes four to five times as long.
    """
    total, quad_count, dataset_hash = 0, 0, 0
    system: list[Quad] = []
    stated: set[int] = set()
    merged: set[int] = set()
    nodes: dict[_Index, set[_Node]] = {"predicate": set()}
    if is_deep:
        nodes |= {"object": set(), "subject": set()}
    for quad in database:
        total += 1
        subject, predicate, value, graph = quad
        triple = (str(subject), str(predicate), str(value))
        nodes["predicate"].add(predicate)
        if is_deep:
            nodes["object"].add(value)
            nodes["subject"].add(subject)
        if graph == _DEFAULT_GRAPH:
            merged.add(hash(triple))
            continue
        stated.add(hash(triple))
        written = (triple[0], triple[1], canonical_text(triple[2]), str(graph))
        if written[3] == SYSTEM_GRAPH:
            system.append(written)
        else:
            quad_count += 1
            dataset_hash += hash_quad(written)
    by_index = {
        index: _count_by(database, terms, index, in_graphs=is_deep)
        for index, terms in nodes.items()
    }
    return Scan(
        dataset_hash=dataset_hash % HASH_MODULUS,
        quad_count=quad_count,
        total=total,
        system_digest=digest_quads(system),
        unmerged=len(stated - merged),
        unstated=len(merged - stated),
        miscounted=tuple(
            f"{count} statements by {index}, {total} in all"
            for index, count in by_index.items()
            if count != total
        ),
    )


def write_quad(quad: ox.Quad) -> Quad:
    """Return a quad of the engine as canonical N-Triples texts; only for named graphs."""
    subject, predicate, value, graph = quad
    return str(subject), str(predicate), canonical_text(str(value)), str(graph)


def read_term(text: str) -> ox.NamedNode | ox.Literal:
    """Return the engine's term of a canonical N-Triples text."""
    if not is_literal(text):
        return ox.NamedNode(text[1:-1])
    value, datatype, language = read_literal(text)
    if language is not None:
        return ox.Literal(value, language=language)
    return ox.Literal(value, datatype=ox.NamedNode(datatype))


def canonical_text(text: str) -> str:
    """Return a term's text as the log has it: the engine escapes more characters."""
    if "\\" not in text:
        return text
    value, datatype, language = read_literal(text)
    return write_literal(value, None if language else datatype, language)


def _count_by(database: ox.Store, terms: Iterable[_Node], index: _Index, *, in_graphs: bool) -> int:
    """Count the statements by way of another index than the one that tables are read from.

    With `in_graphs` they are looked for a second time, graph by graph: that is another index.
    """
    count = 0
    for term in terms:
        found = _find(database, term, index, None)
        if in_graphs:
            graphs = {quad.graph_name for quad in found}
            count += sum(1 for graph in graphs for _ in _find(database, term, index, graph))
        else:
            count += sum(1 for _ in found)
    return count


def _find(
    database: ox.Store, term: _Node, index: _Index, graph: _Graph | None
) -> Iterator[ox.Quad]:
    match index, term:
        case "subject", ox.NamedNode() | ox.BlankNode():
            return database.quads_for_pattern(term, None, None, graph)
        case "predicate", ox.NamedNode():
            return database.quads_for_pattern(None, term, None, graph)
    # On disk the engine (0.5.13) also gives numbers behind one that ends in a byte of ones: with
    # 255 all up to 510. Its queries look again; so does this.
    found = database.quads_for_pattern(None, None, term, graph)
    return (quad for quad in found if quad.object == term)
