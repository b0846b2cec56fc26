"""The model: ontology and SHACL shapes read once, frozen.

Floor 0. The shapes are the only schema: GraphQL types, the import gate, the JSON-LD context and
the reference pages are functions of what stands here. How the Turtle is read is in
`graph/shapes.py`; nothing here knows of data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Final

from graph.terms import SKOS, Quad

CONCEPT: Final = f"{SKOS}Concept"
CONCEPT_SCHEME: Final = f"{SKOS}ConceptScheme"
#: The system graph: labels of the vocabulary and the concept schemes. Outside log and exports.
ONTOLOGY_GRAPH: Final = "https://w3id.org/rhizome/ontology"

Labels = Mapping[str, str]


class FieldKind(StrEnum):
    """What the values of a field are."""

    TEXT = "text"  # language-tagged text
    LITERAL = "literal"  # one core datatype
    ENUM = "enum"  # a literal out of a closed list
    DATE = "date"  # source text, earliest and latest day
    ENTITY = "entity"  # another node with a shape of its own
    IRI = "iri"  # a link out of the dataset


class SearchRole(StrEnum):
    """What the texts of a field are to a search, the best first."""

    NAME = "name"
    ACRONYM = "acronym"
    ALTERNATIVE_NAME = "alternativeName"
    FORMER_NAME = "formerName"
    DESCRIPTION = "description"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a class: a path of one predicate, forward or inverse.

    `path` is the predicate's IRI (of a date: that of its source text, see `parts`). `many` is
    true where more than one value may answer; `required` where the shapes demand a value.
    """

    name: str
    owner: str
    path: str
    inverse: bool
    kind: FieldKind
    datatype: str | None
    target: str | None
    scheme: str | None
    enum_name: str | None
    enum_values: tuple[str, ...]
    min_count: int
    max_count: int | None
    labels: Labels
    comments: Labels
    order: float
    exposure: str = "public"
    deprecated: str | None = None
    unique_language: bool = False
    search_role: SearchRole | None = None
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def many(self) -> bool:
        """Whether the field holds a list."""
        return self.inverse or self.max_count != 1

    @property
    def listed(self) -> bool:
        """Whether the API answers a list: of text with one value a language it does not."""
        return self.many and not self.unique_language

    @property
    def required(self) -> bool:
        """Whether a value is certain in every valid dataset, at every level."""
        return self.min_count > 0

    @property
    def predicates(self) -> tuple[str, ...]:
        """The predicates that the field reads."""
        return tuple(self.parts.values()) or (self.path,)


@dataclass(frozen=True, slots=True)
class ClassShape:
    """One class of the model with the fields of its own shape.

    `computed` says that the service makes its instances from other data: nobody writes them.
    """

    iri: str
    shape: str
    name: str
    field_name: str
    plural: str
    abstract: bool
    concrete_name: str
    labels: Labels
    comments: Labels
    order: float
    id_kind: str
    label_path: str | None
    relation: bool
    identity: tuple[str, ...]
    parents: tuple[str, ...]
    own_fields: tuple[Field, ...]
    exposure: str = "public"
    deprecated: str | None = None
    computed: bool = False


@dataclass(frozen=True, slots=True)
class Constraint:
    """One SHACL core constraint of a target class (or, in `node_shapes`, of a node shape).

    `component` is the parameter's local name (`minCount`, `datatype`, `class` ...), `parameter`
    an int, an IRI, a term in N-Triples text, or a tuple of such. `path` None: on the focus node.
    """

    target: str
    shape: str
    path: str | None
    inverse: bool
    component: str
    parameter: int | str | tuple[str, ...]
    severity: str
    messages: Labels


@dataclass(frozen=True, slots=True)
class SparqlConstraint:
    """One SHACL-SPARQL constraint: its SELECT, prefixes written out, with `$this` to bind."""

    target: str
    shape: str
    select: str
    severity: str
    messages: Labels


@dataclass(frozen=True)
class Model:
    """Ontology and shapes as one frozen value.

    `classes` is in the order of the shapes (`sh:order`); `digest` is the SHA-256 of the files, by
    which derived stores know that they were built from another model.
    """

    version: str
    digest: str
    classes: Mapping[str, ClassShape]
    constraints: tuple[Constraint, ...]
    node_shapes: Mapping[str, tuple[Constraint, ...]]
    sparql_constraints: tuple[SparqlConstraint, ...]
    system_quads: tuple[Quad, ...]
    prefixes: Mapping[str, str]
    labels: Mapping[str, Labels]

    @cached_property
    def by_name(self) -> Mapping[str, ClassShape]:
        """Classes by their GraphQL name."""
        return {shape.name: shape for shape in self.classes.values()}

    @cached_property
    def ancestors(self) -> Mapping[str, tuple[str, ...]]:
        """For each class: itself, then its superclasses, nearest first."""
        return {iri: tuple(self._climb(iri)) for iri in self.classes}

    @cached_property
    def descendants(self) -> Mapping[str, tuple[str, ...]]:
        """For each class: itself and all its subclasses, in the order of the shapes."""
        return {
            iri: tuple(other for other in self.classes if iri in self.ancestors[other])
            for iri in self.classes
        }

    @cached_property
    def fields(self) -> Mapping[str, Mapping[str, Field]]:
        """For each class: its fields by GraphQL name, inherited ones first."""
        result: dict[str, dict[str, Field]] = {}
        for iri in self.classes:
            merged: dict[str, Field] = {}
            for ancestor in reversed(self.ancestors[iri]):
                merged.update({f.name: f for f in self.classes[ancestor].own_fields})
            result[iri] = merged
        return result

    @cached_property
    def field_names(self) -> frozenset[str]:
        """The GraphQL names of the fields of all classes."""
        return frozenset(name for fields in self.fields.values() for name in fields)

    @cached_property
    def enum_values(self) -> Mapping[str, tuple[str, ...]]:
        """Each enum with its literals, by name."""
        found: dict[str, tuple[str, ...]] = {}
        for shape in self.classes.values():
            for f in shape.own_fields:
                if f.enum_name:
                    known = found.get(f.enum_name, ())
                    found[f.enum_name] = tuple(dict.fromkeys((*known, *f.enum_values)))
        return dict(sorted(found.items()))

    @cached_property
    def computed(self) -> frozenset[str]:
        """The classes whose instances the service computes."""
        return frozenset(iri for iri, shape in self.classes.items() if shape.computed)

    @cached_property
    def predicates(self) -> frozenset[str]:
        """Every predicate that data may use, `rdf:type` apart."""
        return frozenset(
            predicate
            for shape in self.classes.values()
            for f in shape.own_fields
            for predicate in f.predicates
        )

    @cached_property
    def single_predicates(self) -> frozenset[str]:
        """The predicates of which at most one value answers, in every class that has them."""
        forward = [f for shape in self.classes.values() for f in shape.own_fields if not f.inverse]
        many = {f.path for f in forward if f.many and not f.parts}
        return frozenset(p for f in forward for p in f.predicates if p not in many)

    @cached_property
    def searched(self) -> Mapping[str, SearchRole]:
        """The predicates whose texts are searched, each with what they are to a search."""
        fields = [f for shape in self.classes.values() for f in shape.own_fields]
        return dict(sorted((f.path, f.search_role) for f in fields if f.search_role is not None))

    @cached_property
    def allowed(self) -> Mapping[str, frozenset[str]]:
        """For each class: the predicates that its instances may carry."""
        return {
            iri: frozenset(p for f in fields.values() if not f.inverse for p in f.predicates)
            for iri, fields in self.fields.items()
        }

    @cached_property
    def label_paths(self) -> Mapping[str, str]:
        """For each class that has one: the predicate that names its instances."""
        found: dict[str, str] = {}
        for iri, ancestors in self.ancestors.items():
            paths = (self.classes[ancestor].label_path for ancestor in ancestors)
            path = next((path for path in paths if path is not None), None)
            if path is not None:
                found[iri] = path
        return found

    @cached_property
    def order(self) -> Mapping[str, int]:
        """Rank of each class: of two types of a node the deeper, then the earlier, names it."""
        ranked = sorted(
            self.classes.values(), key=lambda c: (-len(self.ancestors[c.iri]), c.order, c.iri)
        )
        return {shape.iri: rank for rank, shape in enumerate(ranked)}

    def most_specific(self, types: Iterable[str]) -> str | None:
        """Return the class that names a node with these types, or None if none is known."""
        known = [iri for iri in types if iri in self.order]
        return min(known, key=self.order.__getitem__) if known else None

    def is_a(self, iri: str, ancestor: str) -> bool:
        """Tell whether a class is another one or a subclass of it."""
        return ancestor in self.ancestors.get(iri, ())

    def _climb(self, iri: str) -> Iterable[str]:
        queue, seen = [iri], set()
        while queue:
            current = queue.pop(0)
            if current not in seen:
                seen.add(current)
                yield current
                queue.extend(self.classes[current].parents)
