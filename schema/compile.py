"""Compiles a validated query into a plan.

Floor 4. The schema was built from the model, so each field of the document is found again in the
model: what comes out names predicates and classes. Nothing here reads data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import count
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
)

from graph.errors import QueryTooLargeError
from graph.model import Field, FieldKind, Model
from schema.aside_types import ASIDES
from schema.compile_parts import RECORDS, PartCompiler
from schema.literals import arguments
from schema.naming import object_name
from schema.plan import (
    Certainty,
    Connection,
    Date,
    Identity,
    Link,
    Lookup,
    Part,
    Path,
    Plan,
    Records,
    Revision,
    Scalar,
    Search,
    Selection,
    Sources,
    Step,
    Text,
    TypeName,
    Types,
)
from schema.search import compile_parts
from schema.selection import Collected, Collector

#: Types that stand for any node.
_ANY: Final = frozenset({"Node", "Entity"})
_SOURCE: Final = "Source"


class SchemaIndex:
    """What the compiler asks of a schema again and again."""

    def __init__(self, model: Model, schema: GraphQLSchema) -> None:
        self.model = model
        self.schema = schema

    @cached_property
    def covers(self) -> Mapping[str, frozenset[str]]:
        """For each object type or interface: the object types that it covers."""
        found: dict[str, frozenset[str]] = {}
        for name, kind in self.schema.type_map.items():
            if isinstance(kind, GraphQLObjectType):
                found[name] = frozenset({name})
            elif isinstance(kind, GraphQLInterfaceType):
                possible = self.schema.get_possible_types(kind)
                found[name] = frozenset(each.name for each in possible)
        return found

    @cached_property
    def classes(self) -> Mapping[str, str]:
        """For each type name that stands for a class: the class's IRI."""
        found = {object_name(self.model, iri): iri for iri in self.model.classes}
        return found | {shape.name: iri for iri, shape in self.model.classes.items()}

    @cached_property
    def roots(self) -> Mapping[str, tuple[str, bool]]:
        """For each root field: class IRI, and whether it is the collection."""
        found: dict[str, tuple[str, bool]] = {}
        for iri, shape in self.model.classes.items():
            found[shape.field_name] = (iri, False)
            found[shape.plural] = (iri, True)
        return found


def compile_operation(
    index: SchemaIndex,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    conditions: Mapping[str, Any],
    fields_max: int,
) -> Plan:
    """Return the plan of a validated query.

    `conditions` holds the coerced values of the variables in `@skip` and `@include`.

    Raises
    ------
    QueryTooLargeError
        With its fragments opened the operation has more than `fields_max` fields: each use of a
        fragment multiplies what stands in it.
    """
    collector = Collector(document, conditions, index.covers)
    return _Compiler(index, collector, fields_max).compile(operation)


class _Compiler:
    def __init__(self, index: SchemaIndex, collector: Collector, fields_max: int) -> None:
        self.fields_left = self.fields_max = fields_max
        self.index = index
        self.model = index.model
        self.collector = collector
        self.slots = count()
        self.numbers = count()
        self.introspects = False
        self.parts = PartCompiler(self._collect, self._selection, self.slots)

    def compile(self, operation: OperationDefinitionNode) -> Plan:
        fields = self.collector.collect([operation.selection_set], "Query")
        steps = tuple(self._root(key, nodes) for key, nodes in fields.items())
        return Plan(
            tuple(step for step in steps if step is not None), next(self.slots), self.introspects
        )

    def _root(self, key: str, nodes: list[FieldNode]) -> Step | None:
        name = nodes[0].name.value
        if name == "__typename":
            return TypeName(key, "Query")
        if name in ASIDES:
            self.introspects = True
            return None
        if name == "revision":
            return Revision(key)
        if name == "search":
            parts = compile_parts(nodes, self._collect, self._selection)
            return Search(key, arguments(nodes[0]), next(self.slots), parts)
        if name in ("node", "nodes"):
            selection = self._selection(nodes, "Node")
            many = name == "nodes"
            return Lookup(key, None, arguments(nodes[0]), next(self.slots), selection, many)
        iri, is_collection = self.index.roots[name]
        if is_collection:
            return self._connection(key, None, iri, nodes)
        selection = self._selection(nodes, self.model.classes[iri].name)
        return Lookup(key, iri, arguments(nodes[0]), next(self.slots), selection)

    # --- nodes --------------------------------------------------------------------------

    def _selection(self, nodes: Iterable[FieldNode], type_name: str) -> Selection:
        below = _below(nodes)
        number = next(self.numbers)
        class_iri = None if type_name in _ANY else self.index.classes[type_name]
        types = self.index.covers[type_name]
        if not self.collector.branches(below, types):
            collected = self._counted(self.collector.collect(below, min(types)))
            return Selection(number, class_iri, self._steps(collected, type_name, types))
        grouped: dict[tuple[object, ...], list[str]] = {}
        found: dict[tuple[object, ...], Collected] = {}
        for object_type in sorted(types):
            collected = self.collector.collect(below, object_type)
            same: tuple[object, ...] = tuple((k, *map(id, v)) for k, v in collected.items())
            grouped.setdefault(same, []).append(object_type)
            found[same] = collected
        branches: dict[str, tuple[Step, ...]] = {}
        for asked, object_types in grouped.items():
            steps = self._steps(
                self._counted(found[asked]), object_types[0], frozenset(object_types)
            )
            branches.update(dict.fromkeys(object_types, steps))
        return Selection(number, class_iri, (), tuple(sorted(branches.items())))

    def _steps(
        self, collected: Collected, type_name: str, types: frozenset[str]
    ) -> tuple[Step, ...]:
        return tuple(self._step(key, nodes, type_name, types) for key, nodes in collected.items())

    def _step(
        self, key: str, nodes: list[FieldNode], type_name: str, types: frozenset[str]
    ) -> Step:
        name = nodes[0].name.value
        if name == "__typename":
            return TypeName(key, next(iter(types)) if len(types) == 1 else None)
        if name == "id":
            return Identity(key)
        if name == "types":
            return Types(key)
        if name == "label":
            paths = self.model.label_paths
            return Text(key, paths, True, arguments(nodes[0]), next(self.slots))
        if name in RECORDS:
            parts = self.parts.records_of(nodes, name)
            return Records(key, name, arguments(nodes[0]), next(self.slots), parts)
        if name == "certainty":
            iri = self.index.classes[type_name]
            return Certainty(key, iri, arguments(nodes[0]), next(self.slots))
        if name == "statedBy":
            return Sources(key, self._selection(nodes, _SOURCE))
        return self._field(key, nodes, self._find(type_name, name))

    def _find(self, type_name: str, name: str) -> Field:
        """Return the model's field; a field of a fragment may stand on a narrower type."""
        return self.model.fields[self.index.classes[type_name]][name]

    def _field(self, key: str, nodes: list[FieldNode], field: Field) -> Step:
        path = Path(field.path, field.inverse, field.many)
        if field.kind is FieldKind.ENTITY:
            assert field.target is not None
            if field.many:
                return self._connection(key, path, field.target, nodes)
            name = self.model.classes[field.target].name
            return Link(key, path, field.required, self._selection(nodes, name))
        if field.kind is FieldKind.TEXT:
            paths = {"": field.path}
            asked = arguments(nodes[0])
            return Text(key, paths, field.unique_language, asked, next(self.slots))
        if field.kind is FieldKind.DATE:
            record = self.parts.names(nodes, "PartialDate")
            return Date(key, field.parts, record)
        return Scalar(key, path, field.kind, field.datatype, field.enum_name)

    # --- what has a shape of its own -----------------------------------------------------

    def _connection(
        self, key: str, path: Path | None, iri: str, nodes: list[FieldNode]
    ) -> Connection:
        name = self.model.classes[iri].name
        parts = tuple(
            self.parts.page_part(part_key, part_nodes, name)
            for part_key, part_nodes in self._collect(nodes, f"{name}Connection").items()
        )
        counted = any(part.name == "totalCount" or _looks_back(part) for part in parts)
        asked, slot = arguments(nodes[0]), next(self.slots)
        return Connection(key, path, iri, asked, slot, parts, counted, where=asked.get("where"))

    def _collect(self, nodes: Iterable[FieldNode], object_type: str) -> Collected:
        return self._counted(self.collector.collect(_below(nodes), object_type))

    def _counted(self, collected: Collected) -> Collected:
        self.fields_left -= len(collected)
        if self.fields_left < 0:
            raise QueryTooLargeError("graphql_fields", self.fields_max)
        return collected


def _below(nodes: Iterable[FieldNode]) -> list[SelectionSetNode]:
    return [node.selection_set for node in nodes if node.selection_set is not None]


def _looks_back(part: Part) -> bool:
    return any(below.name == "hasPreviousPage" for below in part.parts)
