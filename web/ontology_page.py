"""What the page of the ontology shows: each class with its fields, each property with its uses.

Floor 5. A function of the model and a language; nothing here knows of requests.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from graph.model import ONTOLOGY_GRAPH, ClassShape, Field, FieldKind, Labels, Model
from graph.store.prefixes import PREFIXES
from graph.terms import RDFS, RZ, is_literal, read_literal
from schema.naming import scalar_of

#: Kinds of values with the texts that name them (`web/texts.py`); datatypes stand as they are.
KINDS: Final = {
    "text": "ontology.text",
    "date": "ontology.date",
    "link": "ontology.link",
    "enum": "ontology.enum",
    "thing": "ontology.thing",
}
_COMMENT: Final = f"<{RDFS}comment>"


@dataclass(frozen=True, slots=True)
class Name:
    """A class or property: how it is written, what people call it, where it stands on the page."""

    written: str
    label: str
    anchor: str


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A field of a class: `kind` in words, or `target`, the class of its values."""

    label: str
    description: str
    property: Name
    inverse: bool
    kind: str
    target: Name | None
    values: Sequence[str]
    required: bool
    many: bool


@dataclass(frozen=True, slots=True)
class ClassEntry:
    """A class with what it says of itself and its own fields."""

    name: Name
    comment: str
    iri: str
    graphql: str
    abstract: bool
    computed: bool
    parents: Sequence[Name]
    children: Sequence[Name]
    fields: Sequence[FieldRow]


@dataclass(frozen=True, slots=True)
class PropertyEntry:
    """A property with the classes whose shapes use it."""

    name: Name
    comment: str
    iri: str
    classes: Sequence[Name]


@dataclass(frozen=True, slots=True)
class About:
    """The whole page; `tree` has each class with its depth, below the first of its parents."""

    title: str
    description: str
    version: str
    prefixes: Sequence[tuple[str, str]]
    tree: Sequence[tuple[Name, int]]
    classes: Sequence[ClassEntry]
    properties: Sequence[PropertyEntry]


def describe_ontology(model: Model, language: str) -> About:
    """Return what the page shows, in a language."""
    comments = _comments(model)
    own = {name: _pick(comments[f"<{ONTOLOGY_GRAPH}>", name], language) for name in _OF_ONTOLOGY}
    writer = _Writer(model, language)
    shown = [shape for shape in model.classes.values() if shape.exposure == "public"]
    uses: dict[str, dict[str, None]] = defaultdict(dict)
    for shape in shown:
        for each in shape.own_fields:
            for predicate in each.predicates:
                uses[predicate][shape.iri] = None
    properties = [
        PropertyEntry(
            writer.name(iri),
            _pick(comments[f"<{iri}>", _COMMENT], language),
            iri,
            [writer.name(each) for each in uses[iri]],
        )
        for iri in sorted(uses, key=lambda iri: (not iri.startswith(RZ), writer.name(iri).written))
    ]
    return About(
        own[_TITLE],
        own[_DESCRIPTION],
        model.version,
        sorted(model.prefixes.items()),
        [(writer.name(iri), min(depth, 3)) for iri, depth in _tree(model, shown)],
        [writer.entry(shape) for shape in shown],
        properties,
    )


def anchor_of(iri: str) -> str:
    """Return the fragment of a class or property on the page: what follows `#` in its IRI.

    Examples
    --------
    >>> anchor_of("https://w3id.org/rhizome/ontology#Cluster")
    'Cluster'
    >>> anchor_of("http://www.w3.org/2004/02/skos/core#Concept")
    'skos-Concept'
    """
    return iri.removeprefix(RZ) if iri.startswith(RZ) else write_short(iri).replace(":", "-")


def write_short(iri: str) -> str:
    """Return an IRI with a well-known prefix in place of its namespace.

    Examples
    --------
    >>> write_short("http://www.w3.org/ns/org#member")
    'org:member'
    """
    for prefix, namespace in PREFIXES.items():
        if iri.startswith(namespace):
            return f"{prefix}:{iri.removeprefix(namespace)}"
    return iri


_TITLE: Final = "<http://purl.org/dc/terms/title>"
_DESCRIPTION: Final = "<http://purl.org/dc/terms/description>"
_OF_ONTOLOGY: Final = (_TITLE, _DESCRIPTION)


class _Writer:
    """Writes the entries of one model in one language."""

    def __init__(self, model: Model, language: str) -> None:
        self.model = model
        self.language = language

    def name(self, iri: str) -> Name:
        shape = self.model.classes.get(iri)
        labels = self.model.labels.get(iri, {}) if shape is None else shape.labels
        return Name(write_short(iri), _pick(labels, self.language), anchor_of(iri))

    def entry(self, shape: ClassShape) -> ClassEntry:
        model = self.model
        children = [each.iri for each in model.classes.values() if shape.iri in each.parents]
        fields = [each for each in shape.own_fields if each.exposure == "public"]
        return ClassEntry(
            name=self.name(shape.iri),
            comment=_pick(shape.comments, self.language),
            iri=shape.iri,
            graphql=shape.name,
            abstract=shape.abstract,
            computed=shape.computed,
            parents=[self.name(iri) for iri in shape.parents],
            children=[self.name(iri) for iri in children],
            fields=[self.row(each) for each in sorted(fields, key=lambda each: each.order)],
        )

    def row(self, each: Field) -> FieldRow:
        is_entity = each.kind is FieldKind.ENTITY and each.target is not None
        return FieldRow(
            label=_pick(each.labels, self.language) or each.name,
            description=_pick(each.comments, self.language),
            property=self.name(each.path),
            inverse=each.inverse,
            kind="" if is_entity else _kind(each),
            target=self.name(each.target) if is_entity and each.target is not None else None,
            values=each.enum_values,
            required=each.required,
            many=each.many and not each.unique_language,
        )


def _tree(model: Model, shown: Sequence[ClassShape]) -> Iterator[tuple[str, int]]:
    """Yield the classes, each below the first of its parents, with their depth."""
    below: dict[str, list[str]] = defaultdict(list)
    for shape in shown:
        below[shape.parents[0] if shape.parents else ""].append(shape.iri)
    waiting = [(iri, 0) for iri in reversed(below[""])]
    while waiting:
        iri, depth = waiting.pop()
        yield iri, depth
        waiting += [(child, depth + 1) for child in reversed(below[iri])]


def _kind(each: Field) -> str:
    """What the values of a field are, as the texts of the page name it."""
    match each.kind:
        case FieldKind.TEXT:
            return "text"
        case FieldKind.DATE:
            return "date"
        case FieldKind.IRI:
            return "link"
        case FieldKind.ENUM:
            return "enum"
        case FieldKind.ENTITY:
            return "thing"
        case _:
            return f"xsd:{scalar_of(each)}" if each.datatype is None else write_short(each.datatype)


def _comments(model: Model) -> dict[tuple[str, str], dict[str, str]]:
    """Return the texts that the vocabulary says of its terms, by subject and predicate."""
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for subject, predicate, value, _ in model.system_quads:
        if predicate in (_COMMENT, *_OF_ONTOLOGY) and is_literal(value):
            text, _, tag = read_literal(value)
            found[subject, predicate][tag or ""] = text
    return found


def _pick(labels: Labels, language: str) -> str:
    return labels.get(language) or labels.get("en") or next(iter(labels.values()), "")
