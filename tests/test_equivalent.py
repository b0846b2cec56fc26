"""The SPARQL of `explain` answers what GraphQL answers, wherever it says that nothing lacks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pyoxigraph
import pytest
from graphql import GraphQLArgument, GraphQLField

from graph.access import Scope, anonymous
from graph.model import FieldKind
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from graph.store.snapshot import Snapshot
from graph.terms import XSD, Quad, is_literal, read_literal
from schema.equivalent import variable
from schema.execute import Answer, Engine, Prepared, Request
from schema.loading import load_schema
from schema.naming import enum_value_name
from schema.plan import (
    Connection,
    Date,
    Identity,
    Link,
    Lookup,
    Part,
    Plan,
    Scalar,
    Selection,
    Step,
    Text,
    TypeName,
)
from tests.asking import listed_dataset
from tests.documents import Documents
from tests.snapshots import commit_of

SEEDS = Path(__file__).parent.parent / "seeds"
MODEL = load_model()
#: Solutions: values as N-Triples text, by variable.
Rows = list[dict[str, str]]

#: What is drawn seldom enough without: fields and arguments that SPARQL cannot say.
_UNSAID_FIELDS = frozenset(
    {"claims", "translations", "completeness", "statedBy", "certainty", "aggregates", "groups"}
    | {"pageInfo", "cursor", "types", "search", "revision"}
)
_UNSAID_ARGUMENTS = frozenset({"asOf", "orderBy", "last"})


@cache
def seeds() -> tuple[Quad, ...]:
    return tuple(
        (str(q.subject), str(q.predicate), str(q.object), str(q.graph_name))
        for path in sorted(SEEDS.glob("*.trig"))
        for q in pyoxigraph.parse(path=path, format=pyoxigraph.RdfFormat.TRIG)
    )


class SourcesDiffer(Exception):
    """A field with one value has several: which of them answers is nothing SPARQL can tell."""


def the_one(found: Collection[str]) -> str | None:
    if len(found) > 1:
        raise SourcesDiffer
    return next(iter(found), None)


class World:
    """A dataset, as both languages see it."""

    def __init__(self, quads: Sequence[Quad]) -> None:
        self.engine = Engine(MODEL, load_schema(MODEL), Settings())
        self.snapshot: Snapshot = build_snapshot(MODEL, [commit_of(list(quads), (), None)])
        term, lines = self.snapshot.terms.term, set()
        for predicate, column in self.snapshot.forward.items():
            for subject, value, _ in column.statements():
                lines.add(f"{term(subject)} <{predicate}> {term(value)} .")
        self.store = pyoxigraph.Store()
        text = "\n".join(sorted(lines))
        self.store.bulk_load(text, pyoxigraph.RdfFormat.N_TRIPLES)
        self.viewer = replace(anonymous(Settings()), scopes=frozenset({Scope.EXPLAIN}))

    def ask(self, document: str, **variables: Any) -> tuple[Answer, Plan]:
        request = Request(document, None, variables, ("en", "fr"), explain=True)
        prepared = self.engine.prepare(request, self.snapshot, self.viewer)
        assert isinstance(prepared, Prepared), prepared
        return self.engine.run(prepared), prepared.plan

    def rows(self, query: str) -> Rows:
        solutions = self.store.query(query)
        assert isinstance(solutions, pyoxigraph.QuerySolutions)
        names = [each.value for each in solutions.variables]
        return [
            {name: str(value) for name in names if (value := solution[name]) is not None}
            for solution in solutions
        ]


# --- from solutions to the shape of the answer ------------------------------------------------


def in_order(terms: Iterator[str]) -> list[str]:
    return sorted(set(terms), key=lambda term: term.removesuffix(">"))


def node_of(selection: Selection, name: str, rows: Rows) -> dict[str, Any]:
    """Return a node's object; all rows speak of that node."""
    return {step.key: value_of(step, name, rows) for step in selection.steps}


def value_of(step: Step, name: str, rows: Rows) -> Any:
    below = variable(name, step.key)
    found = in_order(row[below] for row in rows if below in row)
    match step:
        case Identity():
            return rows[0][name][1:-1]
        case TypeName():
            return step.value
        case Scalar() if step.path.many:
            return [literal(step, term) for term in found]
        case Text() if not step.unique:
            return list(dict.fromkeys(read_literal(term)[0] for term in found))
        case Scalar() | Text():
            one = the_one(found)
            return None if one is None else literal(step, one)
        case Date():
            return date_of(step, below, rows)
        case Link():
            return node_of(step.selection, below, rows) if the_one(found) else None
        case Connection():
            return page_of(step, below, rows)
    raise AssertionError(step)


def literal(step: Scalar | Text, term: str) -> Any:
    if term.startswith("<"):
        return term[1:-1]
    text, datatype, _ = read_literal(term)
    if isinstance(step, Scalar) and step.kind is FieldKind.ENUM:
        return enum_value_name(text)
    if datatype in (f"{XSD}integer", f"{XSD}gYear"):
        return int(text)
    if datatype in (f"{XSD}decimal", f"{XSD}double"):
        return float(text)
    return text == "true" if datatype == f"{XSD}boolean" else text


def date_of(step: Date, below: str, rows: Rows) -> Any:
    found: dict[str, Any] = {}
    for key, part in step.record:
        values = {row[name] for row in rows if (name := variable(below, key)) in row}
        known = the_one(values)
        found[key] = part[1:] if part.startswith(":") else known and read_literal(known)[0]
    parts = [key for key, part in step.record if not part.startswith(":")]
    return found if any(found[key] is not None for key in parts) else None


def page_of(step: Connection, name: str, rows: Rows, *, keep: Sequence[str] = ()) -> Any:
    nodes = list(keep) or in_order(row[name] for row in rows if name in row)

    def node(selection: Selection | None, term: str) -> dict[str, Any]:
        assert selection is not None
        return node_of(selection, name, [row for row in rows if row.get(name) == term])

    def entry(part: Part) -> Any:
        if part.name == "nodes":
            return [node(part.selection, term) for term in nodes]
        if part.name == "edges":
            return [
                {
                    each.key: each.name[1:] if each.selection is None else node(each.selection, t)
                    for each in part.parts
                }
                for t in nodes
            ]
        return part.name[1:]

    return {part.key: entry(part) for part in step.parts}


def rebuilt(world: World, step: Step, queries: Mapping[str, str]) -> Any:
    """Return what solutions say, in the shape of the answer to a root field."""
    if isinstance(step, Lookup):
        rows = world.rows(queries[step.key])
        if not step.many:
            return node_of(step.selection, "n", rows) if rows else None
        nodes = {row["n"]: [r for r in rows if r["n"] == row["n"]] for row in rows}
        return {term[1:-1]: node_of(step.selection, "n", found) for term, found in nodes.items()}
    assert isinstance(step, Connection)
    rows = world.rows(queries[step.key]) if step.key in queries else []
    page = page_of(step, "n", rows)
    for part in step.parts:
        if part.name == "totalCount":
            (total,) = world.rows(queries[f"{step.key}.totalCount"])
            page[part.key] = int(read_literal(total["total"])[0])
    return page


def compare(world: World, document: str, **variables: Any) -> int:
    """Compare all root fields of which nothing lacks; return how many."""
    answer, plan = world.ask(document, **variables)
    assert answer.data is not None, (document, answer.errors)
    told = answer.body()["extensions"]["explain"]
    lacking = {each.partition(":")[0].partition(".")[0] for each in told["sparqlLeavesOut"]}
    compared = 0
    for step in plan.steps:
        if step.key in lacking or isinstance(step, TypeName):
            continue
        wanted = answer.data[step.key]
        try:
            found = rebuilt(world, step, told["sparql"])
        except SourcesDiffer:
            continue
        if isinstance(step, Lookup) and step.many:
            identifiers = listed_ids(step)
            wanted = dict(zip(identifiers, wanted, strict=True))
            wanted = {key: value for key, value in wanted.items() if value is not None}
        assert found == wanted, (document, told["sparql"])
        compared += 1
    return compared


def listed_ids(step: Lookup) -> list[str]:
    return [str(each) for each in step.arguments["ids"]]


# --- tests --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world() -> World:
    return World(seeds())


@pytest.fixture(scope="module")
def small() -> World:
    return World(listed_dataset())


class Sayable(Documents):
    """Draws documents that SPARQL can mostly say."""

    def _field(self, name: str, field: GraphQLField, depth: int, at: int) -> str:
        return "" if name in _UNSAID_FIELDS else super()._field(name, field, depth, at)

    def _argument(self, name: str, argument: GraphQLArgument) -> str | None:
        if name in _UNSAID_ARGUMENTS or (name == "first" and self.random.random() < 0.9):
            return None
        return super()._argument(name, argument)


@pytest.mark.parametrize("seed", range(4))
def test_solutions_are_the_answer_to_drawn_documents(world: World, seed: int) -> None:
    identifiers = sorted({q[0][1:-1] for q in seeds()})
    texts = sorted({read_literal(q[2])[0] for q in seeds() if is_literal(q[2])})
    plain = [t for t in texts if t.isprintable() and "\\" not in t and '"' not in t]
    documents = Sayable(world.engine.schema, seed, identifiers, plain)
    viewer, compared = world.viewer, 0
    for _ in range(60):
        document = documents.draw()
        request = Request(document, None, {}, ("en", "fr"))
        if not world.engine.answer(request, world.snapshot, viewer).errors:
            compared += compare(world, document)
    assert compared >= 20


@pytest.mark.parametrize(
    "where",
    [
        '{id: {in: ["urn:x:y", "https://w3id.org/rhizome/id/organisation/o1"]}}',
        "{not: {memberships: {some: {status: {eq: STATED}}}}}",
        "{memberships: {every: {memberOf: {acronym: {isNull: true}}}, none: {isNull: true}}}",
        '{founded: {latest: {lt: "2011-01-01"}}}',
        "{founded: {isNull: true}}",
        '{or: [{name: {eq: "Cluster 1"}}, {formerNames: {some: {lang: ["fr"]}}}]}',
        '{name: {notIn: ["Cluster 1"], lang: ["en"]}}',
        "{projectRoles: {some: {project: {totalCost: {gt: 300}}}}}",
        "{country: {or: [{isNull: true}]}}",
        "{types: [Company, Cluster], projectRoles: {some: {project: {types: Project}}}}",
        "{not: {types: [Organisation]}}",
    ],
)
def test_conditions_mean_the_same(small: World, where: str) -> None:
    document = f"{{ clusters(where: {where}) {{ totalCount nodes {{ id }} }} }}"
    assert compare(small, document) == 1


def test_pages_of_the_root_are_cut(small: World) -> None:
    asked = "query($after: String) { clusters(first: 2, after: $after) { nodes { id } } }"
    paging = asked.replace("nodes {", "pageInfo { endCursor } nodes {")
    answer, _ = small.ask(paging)
    assert answer.data is not None
    cursor = answer.data["clusters"]["pageInfo"]["endCursor"]
    assert compare(small, asked) == compare(small, asked, after=cursor) == 1


def test_what_cannot_be_said_is_named(small: World) -> None:
    answer, _ = small.ask(
        """{ revision search(text: "net") { __typename } networks(where: {name: {contains: "n"}}) {
        nodes { id } }
        clusters(orderBy: {name: ASC}) { nodes { id } }
        memberships { nodes { id claims { field } member { types } } pageInfo { hasNextPage } } }"""
    )
    told = answer.body()["extensions"]["explain"]
    assert set(told["sparql"]) == {"memberships"}
    assert told["sparqlLeavesOut"] == [
        "revision: the revision",
        "search: ranked search",
        "networks: texts without case and accents",
        "clusters: orders by what people read",
        "memberships.nodes.claims: statements about statements",
        "memberships.nodes.member.types: classes are told by name",
        "memberships.pageInfo: pageInfo",
    ]


def test_texts_of_a_request_cannot_leave_their_places(small: World) -> None:
    evil = 'x"@en . } } SELECT * WHERE { ?s ?p "\\'
    document = """query($t: String!, $l: [String!]) {
        clusters(where: {acronym: {eq: $t}}) { nodes { name(lang: $l) } } }"""
    assert compare(small, document, t=evil, l=["en", evil[:30]]) == 1


def test_what_is_no_text_is_told(small: World) -> None:
    document = "query($l: [String!]) { clusters { nodes { name(lang: $l) } } }"
    answer, _ = small.ask(document, l=["\ud800"])
    assert answer.data is not None
    told = answer.body()["extensions"]["explain"]
    assert told["sparql"] == {}
    assert told["sparqlLeavesOut"][0].startswith("clusters: ")
