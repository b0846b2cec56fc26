"""Reads ontology and shapes from Turtle into a `Model`.

Floor 0. Only the constraints that the validator and the schema builder know are accepted; an
unknown one stops the start with its shape named, since a constraint silently passed over would
be a check that cannot fail. Turtle is parsed by pyoxigraph: the files are ours, and reading
them with it keeps the start short.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pyoxigraph

from graph.errors import OntologyError
from graph.model import (
    ONTOLOGY_GRAPH,
    ClassShape,
    Constraint,
    Field,
    FieldKind,
    Labels,
    Model,
    SearchRole,
    SparqlConstraint,
)
from graph.terms import LANG_STRING, RDF, RDFS, RZ, XSD, read_iri, read_literal

FOLDER: Final = Path(__file__).resolve().parent.parent / "ontology"
SH: Final = "http://www.w3.org/ns/shacl#"
OWL: Final = "http://www.w3.org/2002/07/owl#"
_SHACL: Final = "https://www.w3.org/TR/shacl/#core-components"
_NIL: Final = f"<{RDF}nil>"

_COMPONENTS: Final = (
    "minCount",
    "maxCount",
    "datatype",
    "class",
    "nodeKind",
    "in",
    "pattern",
    "minLength",
    "maxLength",
    "minInclusive",
    "maxInclusive",
    "uniqueLang",
    "hasValue",
    "node",
)
_NOT_CONSTRAINTS: Final = frozenset(
    {
        *("path", "name", "description", "order", "group", "severity", "message", "deactivated"),
        *("property", "targetClass", "sparql", "select", "flags"),
        *("prefixes", "declare", "prefix", "namespace"),
    }
)

Node = dict[str, list[str]]


class _Graph:
    """The triples of the ontology files, by subject and predicate, terms as N-Triples text."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = defaultdict(lambda: defaultdict(list))

    def read(self, path: Path) -> None:
        """Add the triples of one Turtle file; blank nodes are told apart by file."""
        for triple in pyoxigraph.parse(path=path, format=pyoxigraph.RdfFormat.TURTLE):
            subject, obj = str(triple.subject), str(triple.object)
            self.nodes[subject][triple.predicate.value].append(obj)

    def one(self, node: str, predicate: str) -> str | None:
        """Return the only value of a predicate, if any."""
        values = self.nodes[node].get(predicate, []) if node in self.nodes else []
        if len(values) > 1:
            raise OntologyError(node, f"{predicate} stands {len(values)} times", _SHACL)
        return values[0] if values else None

    def all(self, node: str, predicate: str) -> list[str]:
        """Return the values of a predicate, sorted."""
        return sorted(self.nodes[node].get(predicate, [])) if node in self.nodes else []

    def text(self, node: str, predicate: str) -> str | None:
        """Return the lexical value of a literal."""
        value = self.one(node, predicate)
        return None if value is None else read_literal(value)[0]

    def iri(self, node: str, predicate: str) -> str | None:
        """Return an IRI value without its brackets."""
        value = self.one(node, predicate)
        return None if value is None else read_iri(value)

    def labels(self, node: str, predicate: str) -> Labels:
        """Return the texts of a predicate by language."""
        found = (read_literal(value) for value in self.all(node, predicate))
        return {language or "": value for value, _, language in found}

    def items(self, head: str) -> Iterator[str]:
        """Yield the members of an RDF list."""
        while head != _NIL:
            first, rest = self.one(head, f"{RDF}first"), self.one(head, f"{RDF}rest")
            if first is None or rest is None:
                raise OntologyError(head, "is not a well-formed list")
            yield first
            head = rest


def load_model(folder: Path = FOLDER) -> Model:
    """Return the model of the Turtle files of a folder.

    Raises
    ------
    OntologyError
        A shape is incomplete, contradicts another, or uses a constraint that is not known.
    """
    files = sorted(folder.glob("*.ttl"))
    if not files:
        raise OntologyError(str(folder), "holds no ontology (*.ttl)")
    digest = hashlib.sha256()
    graph, shapes = _Graph(), _Graph()
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
        graph.read(path)
        if path.name == "shapes.ttl":
            shapes.read(path)
    prefixes = _read_prefixes(folder / "shapes.ttl")
    targets = _targets(graph)
    classes = {
        read_iri(target): _read_class(graph, shape, target, targets)
        for target, shape in targets.items()
    }
    _check_search_roles(classes.values())
    ordered = dict(sorted(classes.items(), key=lambda item: (item[1].order, item[0])))
    return Model(
        version=_version(graph),
        digest=digest.hexdigest(),
        classes=ordered,
        constraints=tuple(_constraints(graph)),
        node_shapes=_node_shapes(graph),
        sparql_constraints=tuple(_sparql_constraints(graph)),
        system_quads=tuple(_system_quads(graph, shapes)),
        prefixes=prefixes,
        labels={
            node[1:-1]: labels
            for node in list(graph.nodes)
            if node.startswith("<") and (labels := graph.labels(node, f"{RDFS}label"))
        },
    )


def _read_prefixes(path: Path) -> Mapping[str, str]:
    parser = pyoxigraph.parse(path=path, format=pyoxigraph.RdfFormat.TURTLE)
    for _ in parser:
        pass
    return dict(sorted(parser.prefixes.items()))


def _version(graph: _Graph) -> str:
    version = graph.text(f"<{ONTOLOGY_GRAPH}>", f"{OWL}versionInfo")
    if version is None:
        raise OntologyError(ONTOLOGY_GRAPH, "has no owl:versionInfo")
    return version


def _node_shape_names(graph: _Graph) -> list[str]:
    kind = f"<{SH}NodeShape>"
    return sorted(n for n, v in graph.nodes.items() if kind in v.get(f"{RDF}type", []))


def _targets(graph: _Graph) -> dict[str, str]:
    """Return the shape that describes each class, by the class's N-Triples text."""
    targets: dict[str, str] = {}
    for shape in _node_shape_names(graph):
        if graph.one(shape, f"{RZ}graphqlName") is None:
            continue
        target = graph.one(shape, f"{SH}targetClass")
        if target is None:
            raise OntologyError(shape, "has a GraphQL name but no sh:targetClass")
        if target in targets:
            raise OntologyError(shape, f"and {targets[target]} both describe {target}")
        targets[target] = shape
    return targets


def _read_class(graph: _Graph, shape: str, target: str, targets: Mapping[str, str]) -> ClassShape:
    def need(name: str) -> str:
        value = graph.text(shape, f"{RZ}{name}")
        if value is None:
            raise OntologyError(shape, f"rz:{name} is missing")
        return value

    name = need("graphqlName")
    identity = graph.one(shape, f"{RZ}identityPath")
    label_path = graph.iri(shape, f"{RZ}labelPath")
    return ClassShape(
        iri=read_iri(target),
        shape=shape,
        name=name,
        field_name=need("graphqlField"),
        plural=need("graphqlPlural"),
        abstract=graph.text(shape, f"{RZ}abstract") == "true",
        concrete_name=graph.text(shape, f"{RZ}graphqlConcreteName") or name,
        labels=_both_languages(graph, shape, f"{RDFS}label"),
        comments=_both_languages(graph, shape, f"{RDFS}comment"),
        order=float(graph.text(shape, f"{SH}order") or 0),
        id_kind=graph.text(shape, f"{RZ}idKind") or name.lower(),
        label_path=label_path,
        relation=graph.text(shape, f"{RZ}relation") == "true",
        identity=tuple(read_iri(i) for i in graph.items(identity)) if identity else (),
        parents=tuple(
            read_iri(parent)
            for parent in graph.all(target, f"{RDFS}subClassOf")
            if parent in targets and parent != target
        ),
        own_fields=_read_fields(graph, shape, target),
        exposure=graph.text(shape, f"{RZ}exposure") or "public",
        deprecated=_deprecated(graph, shape),
        computed=graph.text(shape, f"{RZ}computed") == "true",
    )


def _both_languages(graph: _Graph, node: str, predicate: str) -> Labels:
    labels = graph.labels(node, predicate)
    missing = {"en", "fr"} - set(labels)
    if missing:
        raise OntologyError(node, f"{predicate} is missing in {', '.join(sorted(missing))}")
    return labels


def _read_fields(graph: _Graph, shape: str, target: str) -> tuple[Field, ...]:
    fields: list[Field] = []
    dates: dict[str, dict[str, str]] = defaultdict(dict)
    for node in graph.all(shape, f"{SH}property"):
        name = graph.text(node, f"{RZ}graphqlName")
        if name is None:
            continue
        part = graph.text(node, f"{RZ}datePart")
        if part is not None:
            dates[name][part] = _path(graph, node)[0]
            if part != "text":
                continue
        fields.append(_read_field(graph, node, name, target, is_date=part is not None))
    finished = [_with_parts(f, dates[f.name], shape) if f.name in dates else f for f in fields]
    names = [f.name for f in finished]
    twice = {name for name in names if names.count(name) > 1}
    if twice or set(dates) - set(names):
        raise OntologyError(shape, f"fields told twice or without text part: {twice or dates}")
    return tuple(sorted(finished, key=lambda f: (f.order, f.name)))


def _with_parts(date: Field, parts: dict[str, str], shape: str) -> Field:
    if set(parts) != {"text", "earliest", "latest"}:
        raise OntologyError(shape, f"date {date.name} needs text, earliest and latest")
    ordered = {part: parts[part] for part in ("text", "earliest", "latest")}
    values = {name: getattr(date, name) for name in Field.__slots__}
    return Field(**{**values, "parts": ordered})


def _read_field(graph: _Graph, node: str, name: str, target: str, *, is_date: bool) -> Field:
    path, inverse = _path(graph, node)
    datatype = graph.iri(node, f"{SH}datatype")
    cls = graph.iri(node, f"{SH}class")
    enum_name = graph.text(node, f"{RZ}graphqlEnum")
    listed = graph.one(node, f"{SH}in")
    if is_date:
        kind = FieldKind.DATE
    elif cls is not None:
        kind = FieldKind.ENTITY
    elif enum_name is not None:
        kind = FieldKind.ENUM
    elif datatype == LANG_STRING:
        kind = FieldKind.TEXT
    elif datatype is not None:
        kind = FieldKind.LITERAL
    elif graph.iri(node, f"{SH}nodeKind") == f"{SH}IRI":
        kind = FieldKind.IRI
    else:
        raise OntologyError(node, "has neither sh:datatype, sh:class nor sh:nodeKind sh:IRI")
    violation = graph.iri(node, f"{SH}severity") in (None, f"{SH}Violation")
    most = graph.text(node, f"{SH}maxCount")
    return Field(
        name=name,
        owner=read_iri(target),
        path=path,
        inverse=inverse,
        kind=kind,
        datatype=datatype,
        target=cls,
        scheme=graph.iri(node, f"{RZ}conceptScheme"),
        enum_name=enum_name,
        enum_values=tuple(read_literal(v)[0] for v in graph.items(listed)) if listed else (),
        min_count=int(graph.text(node, f"{SH}minCount") or 0) if violation else 0,
        max_count=None if most is None else int(most),
        labels=_both_languages(graph, node, f"{SH}name"),
        comments=_both_languages(graph, node, f"{SH}description"),
        order=float(graph.text(node, f"{SH}order") or 0),
        exposure=graph.text(node, f"{RZ}exposure") or "public",
        deprecated=_deprecated(graph, node),
        unique_language=graph.text(node, f"{SH}uniqueLang") == "true",
        search_role=_search_role(graph, node, kind, datatype, inverse=inverse),
    )


def _deprecated(graph: _Graph, node: str) -> str | None:
    """Return why a class or field should no longer be used, None where it should."""
    reason = graph.text(node, f"{RZ}deprecated")
    if reason is not None and not reason.strip():
        raise OntologyError(node, "rz:deprecated must say what to use instead, and until when")
    return reason


def _search_role(
    graph: _Graph, node: str, kind: FieldKind, datatype: str | None, *, inverse: bool
) -> SearchRole | None:
    role = graph.text(node, f"{RZ}searchRole")
    if role is None:
        return None
    if role not in list(SearchRole):
        raise OntologyError(node, f"rz:searchRole {role!r} is none of {', '.join(SearchRole)}")
    is_text = kind is FieldKind.TEXT or datatype == f"{XSD}string"
    if inverse or not is_text:
        raise OntologyError(node, "rz:searchRole stands on a field that holds no text")
    return SearchRole(role)


def _check_search_roles(classes: Iterable[ClassShape]) -> None:
    """Demand one role a property: the index holds each text of a property once."""
    roles: dict[str, SearchRole] = {}
    for field in (f for shape in classes for f in shape.own_fields):
        role = field.search_role
        if role is not None and roles.setdefault(field.path, role) is not role:
            raise OntologyError(field.path, "has two roles in search (rz:searchRole)")


def _path(graph: _Graph, node: str) -> tuple[str, bool]:
    """Return the predicate of a property shape and whether it is followed backwards."""
    path = graph.one(node, f"{SH}path")
    if path is None:
        raise OntologyError(node, "has no sh:path", "https://www.w3.org/TR/shacl/#property-paths")
    if path.startswith("<"):
        return read_iri(path), False
    inverse = graph.iri(path, f"{SH}inversePath")
    if inverse is None:
        raise OntologyError(node, "only predicate and inverse paths are supported")
    return inverse, True


def _constraints(graph: _Graph) -> Iterator[Constraint]:
    for shape in _node_shape_names(graph):
        for target in graph.all(shape, f"{SH}targetClass"):
            yield from _shape_constraints(graph, shape, read_iri(target))


def _node_shapes(graph: _Graph) -> Mapping[str, tuple[Constraint, ...]]:
    return {
        shape[1:-1]: tuple(_shape_constraints(graph, shape, ""))
        for shape in _node_shape_names(graph)
        if graph.one(shape, f"{SH}targetClass") is None and shape.startswith("<")
    }


def _shape_constraints(graph: _Graph, shape: str, target: str) -> Iterator[Constraint]:
    yield from _own_constraints(graph, shape, target, None, False)
    for node in graph.all(shape, f"{SH}property"):
        path, inverse = _path(graph, node)
        yield from _own_constraints(graph, node, target, path, inverse)


def _own_constraints(
    graph: _Graph, node: str, target: str, path: str | None, inverse: bool
) -> Iterator[Constraint]:
    for predicate in graph.nodes[node]:
        name = predicate.removeprefix(SH)
        if predicate.startswith(SH) and name not in _COMPONENTS and name not in _NOT_CONSTRAINTS:
            raise OntologyError(node, f"sh:{name} is not supported", _SHACL)
    severity = (graph.iri(node, f"{SH}severity") or f"{SH}Violation").removeprefix(SH)
    messages = graph.labels(node, f"{SH}message")
    for component in _COMPONENTS:
        for value in graph.all(node, f"{SH}{component}"):
            parameter = _parameter(graph, node, component, value)
            if parameter is not None:
                yield Constraint(
                    target, node, path, inverse, component, parameter, severity, messages
                )


def _parameter(
    graph: _Graph, node: str, component: str, value: str
) -> int | str | tuple[str, ...] | None:
    if component in ("minCount", "maxCount", "minLength", "maxLength"):
        return int(read_literal(value)[0])
    if component in ("datatype", "class", "nodeKind", "node"):
        return read_iri(value)
    if component == "in":
        return tuple(graph.items(value))
    if component == "pattern":
        return read_literal(value)[0], graph.text(node, f"{SH}flags") or ""
    if component == "uniqueLang":
        return 1 if read_literal(value)[0] == "true" else None
    return value


def _sparql_constraints(graph: _Graph) -> Iterator[SparqlConstraint]:
    for shape in _node_shape_names(graph):
        severity = (graph.iri(shape, f"{SH}severity") or f"{SH}Violation").removeprefix(SH)
        for node in graph.all(shape, f"{SH}sparql"):
            select = graph.text(node, f"{SH}select")
            if select is None:
                raise OntologyError(shape, "sh:sparql without sh:select")
            prefixes = "".join(sorted(_declared(graph, node)))
            messages = graph.labels(node, f"{SH}message") or graph.labels(shape, f"{SH}message")
            for target in graph.all(shape, f"{SH}targetClass"):
                yield SparqlConstraint(
                    read_iri(target), shape, prefixes + select, severity, messages
                )


def _declared(graph: _Graph, node: str) -> Iterator[str]:
    for ontology in graph.all(node, f"{SH}prefixes"):
        for declaration in graph.all(ontology, f"{SH}declare"):
            prefix = graph.text(declaration, f"{SH}prefix")
            namespace = graph.text(declaration, f"{SH}namespace")
            yield f"PREFIX {prefix}: <{namespace}>\n"


def _system_quads(graph: _Graph, shapes: _Graph) -> Iterator[tuple[str, str, str, str]]:
    """Yield what the public store says of the ontology: the schemes and the vocabulary's labels.

    Shapes and blank nodes stay out: a query for data would meet them as if they were data.
    """
    context = f"<{ONTOLOGY_GRAPH}>"
    for subject in sorted(graph.nodes):
        if not subject.startswith("<") or subject in shapes.nodes:
            continue
        for predicate, values in sorted(graph.nodes[subject].items()):
            for value in sorted(values):
                if not value.startswith("_:"):
                    yield subject, f"<{predicate}>", value, context
