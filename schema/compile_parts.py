"""Compiles what stands in a page, a claim or a group: entries that are no fields of a node.

Floor 4, beside `schema/compile.py`, whose ways of collecting fields and of compiling what is
asked of nodes it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from graphql import FieldNode

from schema.literals import arguments
from schema.plan import Part, Selection
from schema.selection import Collected

#: Types of what is told of a node, by field.
RECORDS = {"claims": "Claim", "translations": "Translation", "completeness": "Completeness"}
#: Suffix of the type of each measure.
_MEASURES = {
    "distinctCount": "DistinctCounts",
    "sum": "Numbers",
    "average": "Numbers",
    "min": "Extremes",
    "max": "Extremes",
}


class PartCompiler:
    """Compiles entries of records, for one operation."""

    def __init__(
        self,
        collect: Callable[[Iterable[FieldNode], str], Collected],
        selection: Callable[[Iterable[FieldNode], str], Selection],
        slots: Iterator[int],
    ) -> None:
        self.collect = collect
        self.selection = selection
        self.slots = slots

    def page_part(self, key: str, nodes: list[FieldNode], name: str) -> Part:
        """Return one entry of a connection to nodes of a class."""
        part = nodes[0].name.value
        if part == "__typename":
            return Part(key, f":{name}Connection")
        if part == "nodes":
            return Part(key, part, self.selection(nodes, name))
        if part == "pageInfo":
            return Part(key, part, parts=self._leaves(nodes, "PageInfo"))
        if part == "edges":
            return Part(key, part, parts=self._records(nodes, f"{name}Edge", {"node": name}))
        if part == "aggregates":
            return self._aggregates(key, nodes, name)
        if part == "groups":
            found = self.collect(nodes, f"{name}Group").items()
            parts = tuple(self._group_part(k, below, name) for k, below in found)
            asked = arguments(nodes[0])
            return Part(key, part, parts=parts, arguments=asked, slot=next(self.slots))
        if part == "groupCount":
            return Part(key, part, arguments=arguments(nodes[0]), slot=next(self.slots))
        return Part(key, part)

    def records_of(self, nodes: list[FieldNode], name: str) -> tuple[Part, ...]:
        """Return the entries of the records that a field tells of a node."""
        entities = {"node": "Entity", "source": "Source"} if name == "claims" else {}
        return self._records(nodes, RECORDS[name], entities)

    def names(self, nodes: list[FieldNode], type_name: str) -> tuple[tuple[str, str], ...]:
        """Return response keys and names of a type without nodes below."""
        collected = self.collect(nodes, type_name)
        return tuple((key, _or_type(found[0], type_name)) for key, found in collected.items())

    def _group_part(self, key: str, nodes: list[FieldNode], name: str) -> Part:
        part = _or_type(nodes[0], f"{name}Group")
        if part == "aggregates":
            return self._aggregates(key, nodes, name)
        if part == "keys":
            return Part(key, part, parts=self._records(nodes, "GroupKey", {"node": "Entity"}))
        return Part(key, part)

    def _aggregates(self, key: str, nodes: list[FieldNode], name: str) -> Part:
        parts: list[Part] = []
        for below_key, below in self.collect(nodes, f"{name}Aggregates").items():
            part = _or_type(below[0], f"{name}Aggregates")
            leaves = self._leaves(below, f"{name}{_MEASURES[part]}") if part in _MEASURES else ()
            parts.append(Part(below_key, part, parts=leaves))
        return Part(key, "aggregates", parts=tuple(parts), slot=next(self.slots))

    def _leaves(self, nodes: list[FieldNode], type_name: str) -> tuple[Part, ...]:
        return tuple(Part(key, name) for key, name in self.names(nodes, type_name))

    def _records(
        self, nodes: list[FieldNode], type_name: str, entities: dict[str, str]
    ) -> tuple[Part, ...]:
        """Return the entries of a type of which some are nodes, given with their types."""
        parts: list[Part] = []
        for key, found in self.collect(nodes, type_name).items():
            name = found[0].name.value
            below = self.selection(found, entities[name]) if name in entities else None
            parts.append(Part(key, _or_type(found[0], type_name), below))
        return tuple(parts)


def _or_type(node: FieldNode, type_name: str) -> str:
    """Return a field's name; `__typename` becomes the type's name, marked by a colon."""
    return f":{type_name}" if node.name.value == "__typename" else node.name.value
