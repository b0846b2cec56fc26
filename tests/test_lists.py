"""Conditions, orders and cursors of connections, in process on a small dataset."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from graphql import GraphQLSchema

from graph.access import anonymous
from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from graph.terms import RZ, Quad
from schema import vectors
from schema.collation import collation_key, fold
from schema.execute import Answer, Engine, Request
from schema.inputs import RESERVED
from schema.loading import load_schema
from tests.asking import PROJECT, A, B, code, data, listed_dataset, organisation
from tests.snapshots import commit_of

Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture(scope="module")
def schema(model: Model) -> GraphQLSchema:
    return load_schema(model)


@pytest.fixture(scope="module")
def ask(model: Model, schema: GraphQLSchema) -> Ask:
    known = tuple(listed_dataset())

    def answer(
        query: str,
        variables: dict[str, Any] | None = None,
        quads: Iterable[Quad] = known,
        languages: tuple[str, ...] = ("en", "fr"),
        **limits: Any,
    ) -> Answer:
        engine = Engine(model, schema, replace(Settings(), **limits))
        snapshot = build_snapshot(model, [commit_of(quads, (), None)])
        request = Request(query, None, variables, languages)
        return engine.answer(request, snapshot, anonymous(engine.settings))

    return answer


def clusters(answer: Answer) -> list[int]:
    """The numbers of the clusters answered."""
    return [int(node["id"][-1]) for node in data(answer)["clusters"]["nodes"]]


# --- conditions -----------------------------------------------------------------------------


def test_no_field_has_the_name_of_another_condition(model: Model) -> None:
    assert not any(RESERVED & fields.keys() for fields in model.fields.values())


@pytest.mark.parametrize(
    ("where", "fits"),
    [
        ('{acronym: {ne: "NEW"}}', [1, 2]),  # an unknown value is not "other"
        ('{not: {acronym: {eq: "NEW"}}}', [1, 2, 3, 4]),  # but it is not NEW either
        ("{acronym: {isNull: true}}", [3, 4]),
        ("{acronym: {isNull: false}}", [0, 1, 2]),
        ('{acronym: {in: ["NEW", "Eb"]}}', [0, 2]),
        ('{acronym: {notIn: ["NEW", "Eb"]}}', [1]),
        ('{acronym: {startsWith: "e"}}', [1, 2]),
        ('{name: {contains: "ZERO"}}', [0]),
        ('{name: {contains: "grappe"}}', [0]),
        ('{name: {contains: "grappe", lang: "en"}}', []),
        ('{name: {ne: "Grappe 0"}}', [1, 2, 3, 4]),  # no language of it may say so
        ('{name: {lang: ["fr"]}}', [0]),
        ('{name: {isNull: true, lang: ["fr"]}}', [1, 2, 3, 4]),
        ('{label: {startsWith: "cluster"}}', [0, 1, 2, 3, 4]),
        ('{altNames: {some: {startsWith: "ela"}}}', [1, 2]),
        ('{altNames: {none: {startsWith: "ela"}}}', [0, 3, 4]),
        ('{altNames: {every: {startsWith: "e"}}}', [0, 1, 2, 4]),
        ("{altNames: {none: {}}}", [0]),
        ("{altNames: {count: {gte: 1}}}", [1, 2, 3, 4]),
        ("{country: {isNull: true}}", [1, 2, 3, 4]),
        ('{country: {or: [{isNull: true}, {notation: {eq: "FR"}}]}}', [0, 1, 2, 3, 4]),
        ('{country: {not: {notation: {eq: "DE"}}}}', [0]),
        ('{founded: {latest: {lt: "2006-01-01"}}}', [0]),
        ('{founded: {earliest: {lte: "2005-01-01"}, latest: {gt: "2005-06-01"}}}', [0]),
        ('{founded: {text: {in: ["2011"]}}}', [1]),
        ("{founded: {isNull: true}}", [2, 3, 4]),
        ("{projectRoles: {count: {gte: 2}}}", [1, 2]),
        ("{projectRoles: {count: {eq: 0}}}", [3, 4]),
        ("{projectRoles: {some: {project: {totalCost: {gt: 250.5}}}}}", [0, 1, 2]),
        ("{projectRoles: {every: {project: {totalCost: {lt: 500}}}}}", [3, 4]),
        ("{projectRoles: {none: {project: {totalCost: {isNull: true}}}}}", [0, 1, 3, 4]),
        ('{or: [{acronym: {eq: "NEW"}}, {acronym: {eq: "Eb"}}]}', [0, 2]),
        ('{and: [{acronym: {startsWith: "e"}}, {acronym: {contains: "b"}}]}', [2]),
        ("{or: []}", []),
        ("{and: []}", [0, 1, 2, 3, 4]),
        ("{not: {}}", []),
        ("{types: [Platform, Cluster]}", [0, 1, 2, 3, 4]),
        ("{types: Organisation}", [0, 1, 2, 3, 4]),  # with its subclasses
        ("{types: [Company]}", []),
        ("{types: []}", []),
        ("{not: {types: [Cluster]}}", []),
        ("{projectRoles: {some: {project: {types: [Project]}}}}", [0, 1, 2]),
        ('{contested: "acronym"}', [0]),
        ('{contested: ["name"]}', [0]),
        ('{contested: ["altNames", "country"]}', []),  # a list is no contradiction
        ("{contested: []}", [0]),
        (f'{{id: {{in: ["{organisation(3)[1:-1]}", "urn:x:none", "no iri"]}}}}', [3]),
        (f'{{id: {{ne: "{organisation(3)[1:-1]}"}}}}', [0, 1, 2, 4]),
    ],
)
def test_conditions_say_who_fits(ask: Ask, where: str, fits: list[int]) -> None:
    assert clusters(ask(f"{{ clusters(where: {where}) {{ nodes {{ id }} }} }}")) == fits


@pytest.mark.parametrize("least", [0, vectors.LEAST])
def test_a_name_in_no_language_is_equal_to_its_text(
    least: int, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "LEAST", least)
    quads = [*listed_dataset(), (PROJECT.format(1), f"<{RZ}acronym>", '"Hop"', A)]
    for where, count in (('eq: "Hop"', 1), ('in: ["Hop", "x"]', 1), ('ne: "Hop"', 0)):
        query = f"{{ projects(where: {{label: {{{where}}}}}) {{ totalCount }} }}"
        assert data(ask(query, quads=quads))["projects"]["totalCount"] == count
    query = '{ projects(where: {label: {eq: "Hop", lang: "en"}}) { totalCount } }'
    assert data(ask(query, quads=quads))["projects"]["totalCount"] == 0


def test_conditions_come_as_variables_too(ask: Ask) -> None:
    query = "query($w: ClusterWhere) { clusters(where: $w) { totalCount nodes { id } } }"
    where = {
        "and": [{"or": [{"acronym": {"in": ["NEW"]}}, {"acronym": {"isNull": True}}]}],
        "not": {"altNames": {"some": {"startsWith": "z"}}},
        "memberships": {"every": {"status": {"in": ["STATED"]}}},
    }
    assert clusters(ask(query, {"w": where})) == [0, 4]


def test_a_node_that_fits_in_several_ways_comes_once(ask: Ask) -> None:
    where = "{or: [{memberships: {some: {}}}, {projectRoles: {some: {}}}]}"
    found = data(ask(f"{{ clusters(where: {where}) {{ totalCount nodes {{ id }} }} }}"))
    assert found["clusters"]["totalCount"] == len(found["clusters"]["nodes"]) == 5


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ("{acronym: {in: null}}", "where.acronym.in"),
        ('{founded: {latest: {lt: "yesterday"}}}', "where.founded.latest.lt"),
        ("{founded: {}}", "where.founded"),
        ("{projectRoles: {count: {}}}", "where.projectRoles.count"),
        ("{projectRoles: {some: null}}", "where.projectRoles.some"),
        ("{and: null}", "where.and"),
        ('{contested: ["nope"]}', "where.contested"),
        ("{name: {contains: null}}", "where.name.contains"),
    ],
)
def test_conditions_that_say_nothing_are_refused_with_their_place(
    ask: Ask, where: str, place: str
) -> None:
    answer = ask(f"{{ clusters(where: {where}) {{ totalCount }} }}")
    assert code(answer) == "BAD_VALUE"
    assert answer.errors[0]["extensions"]["name"] == place


def test_conditions_are_limited_in_number(ask: Ask) -> None:
    query = "query($w: ClusterWhere) { clusters(where: $w) { totalCount } }"
    where = {"id": {"in": [f"urn:x:{number}" for number in range(20)]}}
    assert data(ask(query, {"w": where}, graphql_conditions=22))["clusters"]["totalCount"] == 0
    answer = ask(query, {"w": where}, graphql_conditions=21)
    assert answer.errors[0]["extensions"]["limit"] == "graphql_conditions"
    deep: dict[str, Any] = {}
    for _ in range(30):
        deep = {"not": deep}
    assert ask(query, {"w": deep}).errors[0]["extensions"]["limit"] == "graphql_depth"


# --- orders ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("{id: DESC}", [4, 3, 2, 1, 0]),
        ("{acronym: ASC}", [1, 2, 0, 3, 4]),  # É beside E; unknown last, by identifier
        ("{acronym: DESC}", [0, 2, 1, 3, 4]),
        ("{acronym: ASC_NULLS_FIRST}", [3, 4, 1, 2, 0]),
        ("{acronym: DESC_NULLS_FIRST}", [3, 4, 0, 2, 1]),
        ("{name: DESC}", [0, 4, 3, 2, 1]),
        ("{label: DESC}", [0, 4, 3, 2, 1]),
        ("{founded: {earliest: DESC}}", [1, 0, 2, 3, 4]),
        ("{projectRoles: {count: DESC}}", [2, 1, 0, 3, 4]),
        ("[{altNames: {count: ASC}}, {acronym: DESC}]", [0, 2, 1, 3, 4]),
        ("{country: {notation: ASC_NULLS_FIRST}}", [1, 2, 3, 4, 0]),
        ("[]", [0, 1, 2, 3, 4]),
    ],
)
def test_orders_go_by_each_key_and_then_by_identifier(
    ask: Ask, order: str, expected: list[int]
) -> None:
    assert clusters(ask(f"{{ clusters(orderBy: {order}) {{ nodes {{ id }} }} }}")) == expected


def test_texts_are_ordered_in_the_reader_s_language(ask: Ask) -> None:
    query = "{ clusters(orderBy: {name: ASC}) { nodes { id } } }"
    assert clusters(ask(query, languages=("en",)))[-1] == 0  # Cluster zero
    assert clusters(ask(query, languages=("fr",)))[-1] == 0  # Grappe 0
    assert clusters(ask(query.replace("ASC", "DESC"), languages=("fr",)))[0] == 0


def test_the_order_of_texts_is_that_of_dictionaries() -> None:
    words = ["zoo", "Œuvre", "oeuf", "côté", "cote", "Cote", "côte", "œuvre", "2020", "(a)", "_b"]
    assert sorted(words, key=collation_key) == [
        "_b", "(a)", "2020", "cote", "Cote", "côte", "côté", "oeuf", "œuvre", "Œuvre", "zoo",
    ]  # fmt: skip
    assert fold("Straße ÆGIR Łódź") == "strasse aegir lodz"


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("{}", "GRAPHQL_VALIDATION"),
        ("{id: ASC, acronym: ASC}", "GRAPHQL_VALIDATION"),
        ("{id: null}", "GRAPHQL_VALIDATION"),
        ("{id: UP}", "GRAPHQL_VALIDATION"),
        ("{altNames: ASC}", "GRAPHQL_VALIDATION"),
        ("[null]", "GRAPHQL_VALIDATION"),
    ],
)
def test_wrong_orders_are_refused(ask: Ask, order: str, expected: str) -> None:
    assert code(ask(f"{{ clusters(orderBy: {order}) {{ totalCount }} }}")) == expected


def test_orders_come_as_variables_too(ask: Ask) -> None:
    query = "query($o: [ClusterOrder!]) { clusters(orderBy: $o) { nodes { id } } }"
    order = [{"projectRoles": {"count": "DESC"}}, {"id": "DESC"}]
    assert clusters(ask(query, {"o": order})) == [2, 1, 0, 4, 3]
    assert code(ask(query, {"o": [{"id": "ASC", "name": "ASC"}]})) == "GRAPHQL_VALIDATION"
    single = "query($d: SortOrder) { clusters(orderBy: {id: $d}) { nodes { id } } }"
    assert code(ask(single, {})) in ("BAD_VALUE", "GRAPHQL_VALIDATION")


# --- pages ----------------------------------------------------------------------------------

PAGED = """query($first: Int, $after: String, $last: Int, $before: String) {
  clusters(first: $first, after: $after, last: $last, before: $before, %s) {
    totalCount edges { cursor node { id } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
ORDERS = [
    "orderBy: [{acronym: DESC}]",
    "orderBy: [{projectRoles: {count: ASC}}, {name: DESC}]",
    "orderBy: [{founded: {latest: ASC_NULLS_FIRST}}]",
    "where: {memberships: {some: {}}}",
    'where: {or: [{acronym: {isNull: true}}, {name: {contains: "cluster"}}]}, orderBy: {id: DESC}',
]


@pytest.mark.parametrize("arguments", ORDERS)
@pytest.mark.parametrize("size", [1, 2, 4])
def test_pages_join_to_the_whole_list_from_both_ends(ask: Ask, arguments: str, size: int) -> None:
    query = PAGED % arguments
    whole = [e["node"]["id"] for e in data(ask(query))["clusters"]["edges"]]
    assert len(whole) == 5
    forward: list[str] = []
    variables: dict[str, Any] = {"first": size}
    while True:
        page = data(ask(query, variables))["clusters"]
        assert page["pageInfo"]["hasPreviousPage"] is bool(forward)
        forward += [edge["node"]["id"] for edge in page["edges"]]
        variables["after"] = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert forward == whole
    backward: list[str] = []
    variables = {"last": size}
    while True:
        page = data(ask(query, variables))["clusters"]
        backward = [edge["node"]["id"] for edge in page["edges"]] + backward
        variables["before"] = page["pageInfo"]["startCursor"]
        if not page["pageInfo"]["hasPreviousPage"]:
            break
    assert backward == whole


def test_a_cursor_stays_right_when_its_node_changes_or_goes(ask: Ask) -> None:
    query = PAGED % "orderBy: [{acronym: ASC}]"
    page = data(ask(query, {"first": 2}))["clusters"]
    assert [edge["node"]["id"][-1] for edge in page["edges"]] == ["1", "2"]
    after = page["pageInfo"]["endCursor"]  # of "Eb"
    gone = [quad for quad in listed_dataset() if quad[0] != organisation(2)]
    more = [*gone, (organisation(3), f"<{RZ}acronym>", '"Aa"', B)]  # now before the cursor
    rest = data(ask(query, {"after": after}, more))["clusters"]["edges"]
    assert [edge["node"]["id"][-1] for edge in rest] == ["0", "4"]


def test_what_nobody_asks_is_not_counted_and_the_page_is_the_same(ask: Ask) -> None:
    where = "first: 2, where: {acronym: {isNull: false}}"
    counted = f"{{ clusters({where}) {{ totalCount nodes {{ id }} pageInfo {{ hasNextPage }} }} }}"
    lazy = f"{{ clusters({where}) {{ nodes {{ id }} pageInfo {{ hasNextPage }} }} }}"
    whole = data(ask(counted))["clusters"]
    assert whole.pop("totalCount") == 3
    assert data(ask(lazy))["clusters"] == whole


def forged(*held: Any, mark: str = "") -> str:
    return base64.urlsafe_b64encode(f"2:{mark}:{json.dumps(held)}".encode()).decode()


def test_cursors_of_another_order_condition_or_reader_are_refused(ask: Ask) -> None:
    query = PAGED % ORDERS[0]
    after = data(ask(query, {"first": 1}))["clusters"]["pageInfo"]["endCursor"]
    assert not ask(query, {"after": after}).errors
    for other in (*ORDERS[1:], "orderBy: []", "orderBy: [{acronym: ASC}]"):
        answer = ask(PAGED % other, {"after": after})
        assert (code(answer), answer.errors[0]["extensions"]["name"]) == ("BAD_CURSOR", "after")
        assert code(ask(PAGED % other, {"before": after})) == "BAD_CURSOR"
    assert code(ask(query, {"after": after}, languages=("fr",))) == "BAD_CURSOR"


def test_forged_cursors_are_refused_and_never_fail(ask: Ask) -> None:
    query = PAGED % "orderBy: [{projectRoles: {count: ASC}}, {founded: {latest: ASC}}]"
    page = data(ask(query, {"first": 1}))["clusters"]
    real = base64.urlsafe_b64decode(page["pageInfo"]["endCursor"]).decode()
    mark = real.split(":")[1]
    iri = organisation(1)[1:-1]
    wrong = [
        "", "x", "é", "\ud83d", "A" * 100_000, "====", "MjpiYTI=", forged(1, None, iri),
        forged(mark=mark), forged(iri, mark=mark), forged(1, None, "no iri", mark=mark),
        forged("1", None, iri, mark=mark), forged(True, None, iri, mark=mark),
        forged(1.5, None, iri, mark=mark), forged(1, [], iri, mark=mark),
        forged(1, {"a": 1}, iri, mark=mark), forged(1, 2, iri, mark=mark),
        forged(1, None, 7, mark=mark), base64.urlsafe_b64encode(b"2:" + mark.encode() + b":{}"),
        base64.urlsafe_b64encode(f"2:{mark}:{'[' * 3000}".encode()).decode(),
    ]  # fmt: skip
    for text in wrong:
        given = text.decode() if isinstance(text, bytes) else text
        assert code(ask(query, {"after": given})) == "BAD_CURSOR", given
    assert not ask(query, {"after": forged(1, "2005-12-31", iri, mark=mark)}).errors


@pytest.mark.parametrize(
    ("order", "forgeries"),
    [
        (
            "{projectRoles: {sum: {euContribution: ASC}}}",
            ["1e10000000", "1e5", "1.5", " 1", "1_0", "1/0", "/2", "", "nan", "9" * 4000, "٣", 7],
        ),
        ("{acronym: ASC}", ["x" * 201, 7, True]),
        ("{label: ASC}", ["é" * 300]),
        ("{projectRoles: {count: ASC}}", ["1", 1.5, True]),
    ],
)
def test_forged_values_of_a_cursor_are_refused_before_they_are_read(
    ask: Ask, order: str, forgeries: list[Any]
) -> None:
    query = PAGED % f"orderBy: [{order}]"
    cursor = data(ask(query, {"first": 1}))["clusters"]["pageInfo"]["endCursor"]
    mark = base64.urlsafe_b64decode(cursor).decode().split(":")[1]
    iri = organisation(1)[1:-1]
    for value in forgeries:
        assert code(ask(query, {"after": forged(value, iri, mark=mark)})) == "BAD_CURSOR", value
    assert not ask(query, {"after": cursor}).errors


def test_exponents_of_numbers_in_cursors_cost_nothing(ask: Ask) -> None:
    query = """query ($after: String) { projects(after: $after, orderBy: [{totalCost: ASC}])
      { nodes { id } pageInfo { endCursor } } }"""
    cursor = data(ask(query))["projects"]["pageInfo"]["endCursor"]
    mark = base64.urlsafe_b64decode(cursor).decode().split(":")[1]
    for value in ("NaN", "sNaN", "x"):
        assert code(ask(query, {"after": forged(value, organisation(1)[1:-1], mark=mark)}))
    after = forged("1e999999999999", organisation(1)[1:-1], mark=mark)
    assert len(data(ask(query, {"after": after}))["projects"]["nodes"]) == 1


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 500, "1" + "0" * 5000])
def test_numbers_too_great_to_compare_are_refused(ask: Ask, number: str) -> None:
    for where in (
        f"{{projectRoles: {{sum: {{euContribution: {{gt: {number}}}}}}}}}",
        f"{{projectRoles: {{some: {{project: {{totalCost: {{gt: {number}}}}}}}}}}}",
        f"{{projectRoles: {{some: {{project: {{totalCost: {{in: [1, {number}]}}}}}}}}}}",
    ):
        assert code(ask(f"{{ clusters(where: {where}) {{ totalCount }} }}")) == "BAD_VALUE", where


def test_first_and_last_together_are_refused(ask: Ask) -> None:
    assert code(ask("{ clusters(first: 1, last: 1) { totalCount } }")) == "BAD_VALUE"
    assert code(ask("{ clusters(last: -1) { totalCount } }")) == "BAD_VALUE"
    assert code(ask("{ clusters(last: 501) { totalCount } }")) == "QUERY_LIMIT"


def test_a_cursor_of_another_list_is_refused(ask: Ask) -> None:
    page = "{ totalCount pageInfo { endCursor } }"
    cursor = data(ask(f"{{ networks(first: 1) {page} }}"))["networks"]["pageInfo"]["endCursor"]
    assert not ask(f'{{ networks(after: "{cursor}") {page} }}').errors
    for other in (
        f'{{ clusters(after: "{cursor}") {page} }}',
        f'{{ organisations(before: "{cursor}", last: 2) {page} }}',
        f'{{ networks {{ nodes {{ memberships(after: "{cursor}") {page} }} }} }}',
        f'{{ networks(after: "{cursor}", orderBy: {{id: DESC}}) {page} }}',
    ):
        assert code(ask(other)) == "BAD_CURSOR", other


@pytest.mark.parametrize(
    "where",
    [
        {"id": {}},
        {"acronym": {}},
        {"label": {}},
        {"founded": {}},
        {"projectRoles": {"sum": {}}},
        {"projectRoles": {"max": {}}},
        {"projectRoles": {"count": {}}},
        {"not": {"id": {}}},
    ],
)
def test_a_condition_that_says_nothing_is_refused(ask: Ask, where: dict[str, Any]) -> None:
    """A client that forgot the operator must not be answered as if there were no condition."""
    query = "query ($w: ClusterWhere) { clusters(where: $w) { totalCount } }"
    assert code(ask(query, {"w": where})) == "BAD_VALUE"
    literal = json.dumps(where).replace('"', "")
    assert code(ask(f"{{ clusters(where: {literal}) {{ totalCount }} }}")) == "BAD_VALUE"
    always: tuple[dict[str, Any], ...] = ({}, {"and": []}, {"projectRoles": {"every": {}}})
    for empty in always:
        assert data(ask(query, {"w": empty}))["clusters"]["totalCount"] == 5
