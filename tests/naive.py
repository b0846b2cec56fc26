"""The oracle of GraphQL: graphql-core's own executor over a plain list of quads.

Slow and obviously right: it shares the schema and the model with the service, but no plan, no
collected selection, no column and no generated code.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLResolveInfo,
    GraphQLSchema,
    build_schema,
    execute_sync,
    parse,
    print_schema,
)

from graph.model import ONTOLOGY_GRAPH, Field, FieldKind, Model
from graph.store.build import system_quads
from graph.store.snapshot import TYPE
from graph.store.sources import RANK, RETRIEVED
from graph.terms import Quad, is_literal, read_literal
from schema.naming import enum_value_name, object_name
from tests.naive_conditions import Entity, as_list
from tests.naive_lists import NaiveLists
from tests.search_scan import cursor_of, joined, pieces_of, scan, score_of, words_of

SYSTEM = f"<{ONTOLOGY_GRAPH}>"


def in_order(term: str) -> str:
    """Return the text by which terms are ordered."""
    return term.removesuffix(">")


@dataclass
class Naive:
    """Answers documents over quads; `births` gives the revision in which each graph appeared."""

    model: Model
    schema: GraphQLSchema
    quads: Iterable[Quad]
    births: dict[str, int]
    revision: int
    languages: tuple[str, ...] = ("en", "fr")
    by_subject: dict[str, list[Quad]] = field(default_factory=lambda: defaultdict(list))
    by_object: dict[str, list[Quad]] = field(default_factory=lambda: defaultdict(list))
    keys: dict[str, tuple[object, ...]] = field(default_factory=dict)
    known_types: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Index the quads, those of the system included; forget the schema's own resolvers."""
        self.schema = build_schema(print_schema(self.schema))
        for quad in [*self.quads, *system_quads(self.model)]:
            self.by_subject[quad[0]].append(quad)
            self.by_object[quad[2]].append(quad)
        self.lists = NaiveLists(self)
        self.classes = {shape.name: iri for iri, shape in self.model.classes.items()} | {
            object_name(self.model, iri): iri for iri in self.model.classes
        }

    def answer(self, document: str, variables: dict[str, Any] | None = None) -> Any:
        """Return the data of a document that is valid."""
        result = execute_sync(
            self.schema,
            parse(document),
            variable_values=variables,
            field_resolver=self.resolve,
            type_resolver=lambda value, *_: self.type_name(value),
        )
        assert not result.errors, result.errors
        return result.data

    # --- the graph ------------------------------------------------------------------------

    def source_key(self, graph: str) -> tuple[object, ...]:
        if graph not in self.keys:
            self.keys[graph] = self.make_source_key(graph)
        return self.keys[graph]

    def make_source_key(self, graph: str) -> tuple[object, ...]:
        def own(predicate: str) -> str | None:
            found = [
                q[2] for q in self.by_subject[graph] if q[1] == f"<{predicate}>" and q[3] == graph
            ]
            return read_literal(min(found))[0] if found else None

        date = own(RETRIEVED)
        later_first = tuple(-ord(c) for c in date) if date else (1,)
        rank = -int(own(RANK) or 0)
        return graph == SYSTEM, rank, date is None, later_first, -self.births.get(graph, 0), graph

    def stated(self, term: str, predicate: str) -> list[Quad]:
        found = [q for q in self.by_subject[term] if q[1] == f"<{predicate}>"]
        return sorted(found, key=lambda q: (self.source_key(q[3]), q[2]))

    def types(self, term: str) -> set[str]:
        if term not in self.known_types:
            found = {q[2][1:-1] for q in self.stated(term, TYPE)}
            self.known_types[term] = found & set(self.model.classes)
        return self.known_types[term]

    def is_a(self, term: str, iri: str) -> bool:
        return any(self.model.is_a(each, iri) for each in self.types(term))

    def type_name(self, entity: Entity) -> str:
        types = self.types(entity.term)
        if entity.static is not None:
            types = {iri for iri in types if self.model.is_a(iri, entity.static)}
        return object_name(self.model, self.model.most_specific(types) or str(entity.static))

    def nodes(self, term: str, field_: Field) -> list[str]:
        if field_.inverse:
            found = {q[0] for q in self.by_object[term] if q[1] == f"<{field_.path}>"}
            return sorted(found, key=in_order)
        return sorted({q[2] for q in self.stated(term, field_.path)}, key=in_order)

    # --- fields ---------------------------------------------------------------------------

    def resolve(self, source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        name = info.field_name
        if info.parent_type.name == "Query":
            return self.root(name, arguments)
        if isinstance(source, dict):
            return source[name](info, **arguments) if callable(source[name]) else source[name]
        special: dict[str, Callable[[], Any]] = {
            "id": lambda: source.term[1:-1],
            "types": lambda: sorted(
                self.model.classes[iri].name for iri in self.types(source.term)
            ),
            "label": lambda: self.label(source.term, arguments),
            "claims": lambda: self.claims(source.term, **arguments),
            "translations": lambda: self.lists.translations(source.term, **arguments),
            "completeness": lambda: self.lists.completeness(source.term),
            "certainty": lambda: self.lists.certainty(
                source.term, self.classes[info.parent_type.name], arguments["asOf"]
            ),
            "statedBy": lambda: [
                Entity(g) for g in sorted(self.graphs(source.term), key=self.source_key)
            ],
        }
        if name in special:
            return special[name]()
        field_ = self.model.fields[self.classes[info.parent_type.name]][name]
        return self.field(source.term, field_, arguments)

    def root(self, name: str, arguments: dict[str, Any]) -> Any:
        if name == "revision":
            return self.revision
        if name == "nodes":
            terms = [f"<{identifier}>" for identifier in as_list(arguments["ids"])]
            return [Entity(term) if self.types(term) else None for term in terms]
        if name == "search":
            return self.search(**arguments)
        if name == "node":
            term = f"<{arguments['id']}>"
            return Entity(term) if self.types(term) else None
        for iri, shape in self.model.classes.items():
            if name == shape.field_name:
                term = f"<{arguments['id']}>"
                return Entity(term, iri) if self.is_a(term, iri) else None
            if name == shape.plural:
                found = [term for term in list(self.by_subject) if self.is_a(term, iri)]
                return self.lists.connection(sorted(found, key=in_order), iri, **arguments)
        raise AssertionError(name)

    def field(self, term: str, field_: Field, arguments: dict[str, Any]) -> Any:
        if field_.kind is FieldKind.ENTITY:
            assert field_.target is not None
            if field_.many:
                return self.lists.connection(self.nodes(term, field_), field_.target, **arguments)
            found = self.stated(term, field_.path)
            return Entity(found[0][2], field_.target) if found else None
        if field_.kind is FieldKind.DATE:
            return self.date(term, field_)
        if field_.kind is FieldKind.TEXT:
            return self.text(term, field_.path, field_.unique_language, arguments.get("lang"))
        if field_.many:
            return [self.scalar(field_, value) for value in self.nodes(term, field_)]
        found = self.stated(term, field_.path)
        return self.scalar(field_, found[0][2]) if found else None

    def scalar(self, field_: Field, value: str) -> Any:
        if not is_literal(value):
            return value[1:-1]
        text, datatype, _ = read_literal(value)
        if field_.kind is FieldKind.ENUM:
            return enum_value_name(text)
        kind = datatype.rpartition("#")[2]
        if kind in ("integer", "gYear"):
            return int(text)
        if kind in ("decimal", "double"):
            return float(text)
        return text == "true" if kind == "boolean" else text

    def date(self, term: str, field_: Field) -> Any:
        parts = {part: self.stated(term, path) for part, path in field_.parts.items()}
        graph = next((found[0][3] for found in parts.values() if found), None)
        if graph is None:
            return None
        of_graph = {part: [q[2] for q in found if q[3] == graph] for part, found in parts.items()}
        return {p: read_literal(values[0])[0] if values else None for p, values in of_graph.items()}

    def text(self, term: str, path: str, unique: bool, lang: list[str] | None) -> Any:
        found = self.stated(term, path)
        if not unique:
            texts = [read_literal(value) for value in sorted({q[2] for q in found})]
            tags = None if lang is None else [each.lower() for each in lang]
            wanted = [t for t, _, tag in texts if tags is None or tag in tags]
            return list(dict.fromkeys(wanted))
        asked = [tag.lower() for tag in (*(lang or ()), *self.languages)]
        order = list(dict.fromkeys(t for tag in asked for t in (tag, tag.split("-")[0])))

        def key(quad: Quad) -> tuple[object, ...]:
            tag = read_literal(quad[2])[2] or ""
            near = [tag, tag.split("-")[0]]
            place = next((order.index(t) for t in near if t in order), len(order))
            return place, tag, self.source_key(quad[3]), quad[2]

        return read_literal(min(found, key=key)[2])[0] if found else None

    def class_of(self, term: str) -> str:
        return str(self.model.most_specific(self.types(term)))

    def label_path(self, term: str) -> str | None:
        found = self.model.most_specific(self.types(term))
        paths = [
            self.model.classes[i].label_path for i in self.model.ancestors.get(found or "", ())
        ]
        return next((path for path in paths if path is not None), None)

    def label(self, term: str, arguments: dict[str, Any]) -> str | None:
        path = self.label_path(term)
        if path is None:
            return None
        text: str | None = self.text(term, path, True, arguments.get("lang"))
        return text

    def search(
        self,
        text: str,
        types: list[str] | None = None,
        lang: list[str] | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> dict[str, Any]:
        classes = None if types is None else [self.model.by_name[name].iri for name in types]
        found = scan(self.model, self.quads, text, classes, lang)
        asked = json.dumps([list(dict.fromkeys(words_of(text))), joined(text), classes, lang])
        digest = hashlib.blake2b(asked.encode(), digest_size=6).hexdigest()
        cursors = [cursor_of(each, digest) for each in found]
        start = cursors.index(after) + 1 if after else 0
        end = start + (50 if first is None else first)
        edges = [
            {
                "node": Entity(f"<{each.iri}>"),
                "cursor": cursor,
                "score": round(score_of(each, text), 4),
                "match": each.match,
                "field": each.field,
                "language": each.language,
                **pieces_of(text, each),
            }
            for each, cursor in zip(found[start:end], cursors[start:end], strict=True)
        ]
        return {
            "edges": edges,
            "nodes": [edge["node"] for edge in edges],
            "pageInfo": {
                "hasNextPage": end < len(found),
                "hasPreviousPage": start > 0,
                "startCursor": edges[0]["cursor"] if edges else None,
                "endCursor": edges[-1]["cursor"] if edges else None,
            },
        }

    @property
    def order_of_languages(self) -> list[str]:
        """The reader's languages with their families, as cursors are bound to them."""
        return list(dict.fromkeys(t for tag in self.languages for t in (tag, tag.split("-")[0])))

    def graphs(self, term: str) -> set[str]:
        return {q[3] for q in self.by_subject[term]} - {SYSTEM}

    def claims(
        self, term: str, fields: list[str] | None = None, contested: bool | None = None
    ) -> list[dict[str, Any]]:
        found = self.model.most_specific(self.types(term))
        records: list[dict[str, Any]] = []
        for field_ in self.model.fields[found].values() if found else ():
            if field_.inverse or (fields is not None and field_.name not in fields):
                continue
            stated = [q for q in self.stated(term, field_.path) if q[3] != SYSTEM]
            tags = [read_literal(q[2])[2] if is_literal(q[2]) else None for q in stated]
            single = not field_.many or field_.unique_language
            for quad, tag in zip(stated, tags, strict=True):
                same = [q[2] for q, t in zip(stated, tags, strict=True) if t == tag]
                records.append(
                    {
                        "field": field_.name,
                        "property": field_.path,
                        "value": read_literal(quad[2])[0] if is_literal(quad[2]) else quad[2][1:-1],
                        "language": tag,
                        "node": Entity(quad[2])
                        if field_.kind is FieldKind.ENTITY and self.types(quad[2])
                        else None,
                        "source": Entity(quad[3]),
                        "answers": not single or quad[2] == same[0],
                        "contested": single and len(set(same)) > 1,
                    }
                )
        return [r for r in records if contested is None or r["contested"] == contested]
