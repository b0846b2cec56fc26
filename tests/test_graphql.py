"""GraphQL as a client meets it, in process: answers, errors and limits on a small dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from graphql import GraphQLSchema, get_introspection_query

from graph.access import anonymous
from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from graph.store.snapshot import TYPE, Snapshot
from graph.terms import ENTITY, RZ, XSD, write_literal
from schema.execute import Answer, Engine, Request
from schema.types import build_schema
from tests.asking import NETWORK, ORG, A, B, code, data, organisation, small_dataset
from tests.snapshots import commit_of

Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture(scope="module")
def schema(model: Model) -> GraphQLSchema:
    return build_schema(model)


@pytest.fixture(scope="module")
def snapshot(model: Model) -> Snapshot:
    return build_snapshot(model, [commit_of(small_dataset(), (), None)])


@pytest.fixture
def ask(model: Model, schema: GraphQLSchema, snapshot: Snapshot) -> Ask:
    def answer(
        query: str,
        variables: dict[str, Any] | None = None,
        languages: tuple[str, ...] = ("en", "fr"),
        operation: str | None = None,
        **limits: Any,
    ) -> Answer:
        settings = replace(Settings(), **limits)
        engine = Engine(model, schema, settings)
        request = Request(query, operation, variables, languages)
        return engine.answer(request, snapshot, anonymous(settings))

    return answer


# --- answers ------------------------------------------------------------------------------


def test_the_best_ranked_source_answers_and_all_are_in_the_claims(ask: Ask) -> None:
    found = data(
        ask(
            """query($id: ID!) { cluster(id: $id) { acronym claims(fields: ["acronym"])
               { value answers contested source { title rank } } statedBy { title } } }""",
            {"id": organisation(0)[1:-1]},
        )
    )["cluster"]
    assert found["acronym"] == "NEW"
    assert found["claims"] == [
        {
            "value": "NEW",
            "answers": True,
            "contested": True,
            "source": {"title": "Page 2", "rank": 2},
        },
        {
            "value": "OLD",
            "answers": False,
            "contested": True,
            "source": {"title": "Page 1", "rank": 1},
        },
    ]
    assert found["statedBy"] == [{"title": "Page 2"}, {"title": "Page 1"}]


@pytest.mark.parametrize(
    ("languages", "argument", "name"),
    [
        (("en", "fr"), "", "Cluster zero"),
        (("fr", "en"), "", "Grappe 0"),
        (("de", "fr"), "", "Grappe 0"),
        (("fr-ca", "en"), "", "Grappe 0"),
        (("en",), '(lang: ["fr"])', "Grappe 0"),
        (("en",), '(lang: "de")', "Cluster zero"),
        ((), '(lang: ["pl", "cs"])', "Cluster zero"),
    ],
)
def test_languages_fall_back(
    ask: Ask, languages: tuple[str, ...], argument: str, name: str
) -> None:
    query = f'{{ cluster(id: "{organisation(0)[1:-1]}") {{ name{argument} }} }}'
    assert data(ask(query, languages=languages))["cluster"]["name"] == name


def test_pages_follow_each_other_by_cursor(ask: Ask) -> None:
    query = """query($after: String) { clusters(first: 2, after: $after) { totalCount
      edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage endCursor } } }"""
    seen: list[str] = []
    after, pages = None, 0
    while True:
        page = data(ask(query, {"after": after}))["clusters"]
        assert page["totalCount"] == 5
        assert page["pageInfo"]["hasPreviousPage"] == bool(seen)
        seen += [edge["node"]["id"] for edge in page["edges"]]
        pages += 1
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert pages == 3
    assert seen == [organisation(n)[1:-1] for n in range(5)]


def test_inverse_interfaces_and_fragments(ask: Ask) -> None:
    found = data(
        ask(
            """{ node(id: "https://w3id.org/rhizome/id/network/n") { __typename id
              ... on Network { ...m } ... on Cluster { acronym } } }
            fragment m on Actor { members { nodes { member { __typename label } status } } }"""
        )
    )["node"]
    assert found["__typename"] == "OtherNetwork"
    assert "acronym" not in found
    assert [m["member"]["label"] for m in found["members"]["nodes"]] == [
        "Cluster zero",
        *(f"Cluster {n}" for n in range(1, 5)),
    ]
    assert {m["status"] for m in found["members"]["nodes"]} == {"STATED"}


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ('{name: {eq: "Cluster 3"}}', 1),
        ('{name: {eq: "Grappe 0"}}', 1),
        ('{acronym: {eq: "NEW"}}', 1),
        ('{acronym: {eq: "OLD"}}', 0),  # only the answering value counts
        ('{name: {eq: "Cluster 0"}}', 0),  # a better source says otherwise
        ('{name: {eq: "Cluster zero"}}', 1),
        ('{country: {notation: {eq: "FR"}}}', 1),
        ('{country: {id: {eq: "urn:x:nowhere"}}}', 0),
        ("{memberships: {some: {status: {eq: STATED}}}}", 5),
        ("{memberships: {some: {status: {eq: DISPUTED}}}}", 0),
        (
            '{memberships: {some: {memberOf: {id: {eq: "https://w3id.org/rhizome/id/network/n"}}}}}',
            5,
        ),
        ("{}", 5),
    ],
)
def test_equality_filters(ask: Ask, where: str, count: int) -> None:
    found = data(ask(f"{{ clusters(where: {where}) {{ totalCount nodes {{ id }} }} }}"))["clusters"]
    assert found["totalCount"] == len(found["nodes"]) == count


def test_a_single_field_beside_a_list_on_one_property_answers_by_rank(
    model: Model, schema: GraphQLSchema
) -> None:
    """`dct:isPartOf` is a list for networks and one value for territories."""
    part_of, inner = "<http://purl.org/dc/terms/isPartOf>", f"<{ENTITY}territory/inner>"
    outer = [f"<{ENTITY}territory/outer{number}>" for number in range(2)]
    quads = small_dataset()
    for territory in (inner, *outer):
        quads.append((territory, f"<{TYPE}>", f"<{RZ}Territory>", A))
    quads += [(inner, part_of, outer[0], A), (inner, part_of, outer[1], B)]
    engine = Engine(model, schema, Settings())
    snapshot = build_snapshot(model, [commit_of(quads, (), None)])
    for number, count in ((0, 0), (1, 1)):
        where = f'{{within: {{id: {{eq: "{outer[number][1:-1]}"}}}}}}'
        query = f"{{ territories(where: {where}) {{ totalCount nodes {{ within {{ id }} }} }} }}"
        found = data(engine.answer(Request(query), snapshot, anonymous(engine.settings)))
        assert found["territories"]["totalCount"] == count
        assert all(n["within"]["id"] == outer[1][1:-1] for n in found["territories"]["nodes"])


def test_decimals_are_compared_exactly_and_numbers_out_of_range_are_said(
    model: Model, schema: GraphQLSchema
) -> None:
    sites = {
        f"<{ENTITY}site/{n}>": value for n, value in enumerate(("48.8566101", "48.85661", "500"))
    }
    quads = small_dataset()
    for site, value in sites.items():
        quads.append((site, f"<{TYPE}>", f"<{RZ}Site>", A))
        latitude = write_literal(value, f"{XSD}decimal")
        quads.append((site, "<http://www.w3.org/2003/01/geo/wgs84_pos#lat>", latitude, A))
    quads.append((NETWORK, f"<{RZ}founderCount>", f'"3000000000"^^<{XSD}integer>', A))
    engine = Engine(model, schema, Settings())
    snapshot = build_snapshot(model, [commit_of(quads, (), None)])
    name = next(f.name for f in model.fields[f"{RZ}Site"].values() if f.path.endswith("#lat"))
    for number, value in enumerate(sites.values()):
        query = f"{{ sites(where: {{{name}: {{eq: {value}}}}}) {{ nodes {{ id }} }} }}"
        found = data(engine.answer(Request(query), snapshot, anonymous(engine.settings)))
        assert [node["id"] for node in found["sites"]["nodes"]] == [f"{ENTITY}site/{number}"]
    answer = engine.answer(
        Request("{ networks { nodes { founderCount label } } }"),
        snapshot,
        anonymous(engine.settings),
    )
    assert answer.data == {"networks": {"nodes": [{"founderCount": None, "label": "Net"}]}}
    assert answer.errors[0]["extensions"]["code"] == "BAD_VALUE"


def test_where_takes_variables(ask: Ask) -> None:
    query = """query($w: MembershipWhere, $s: Status) {
      a: memberships(where: $w) { totalCount }
      b: memberships(where: {status: {eq: $s}}) { totalCount } }"""
    found = data(ask(query, {"w": {"status": {"eq": "STATED"}}, "s": "INFERRED"}))
    assert found == {"a": {"totalCount": 5}, "b": {"totalCount": 0}}


def test_skip_and_include_follow_their_variables(ask: Ask) -> None:
    query = (
        "query($s: Boolean!) { revision @skip(if: $s) clusters @include(if: $s) { totalCount } }"
    )
    assert set(data(ask(query, {"s": True}))) == {"clusters"}
    assert set(data(ask(query, {"s": False}))) == {"revision"}


def test_a_condition_that_is_null_is_refused(ask: Ask) -> None:
    query = "query($s: Boolean = true) { revision @skip(if: $s) __typename }"
    assert set(data(ask(query))) == {"__typename"}
    assert code(ask(query, {"s": None})) == "BAD_VALUE"


def test_introspection_is_whole_and_mixes_with_data(ask: Ask, schema: GraphQLSchema) -> None:
    whole = data(ask(get_introspection_query()))
    assert len(whole["__schema"]["types"]) == len(schema.type_map)
    mixed = data(ask('{ revision __type(name: "Cluster") { name } __typename }'))
    assert mixed == {"revision": 1, "__type": {"name": "Cluster"}, "__typename": "Query"}


# --- what is wrong with the request -----------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ clusters {", "QUERY_SYNTAX"),
        ("", "QUERY_SYNTAX"),
        ("{ nope }", "GRAPHQL_VALIDATION"),
        ("{ clusters }", "GRAPHQL_VALIDATION"),
        ("{ clusters(first: 501) { totalCount } }", "QUERY_LIMIT"),
        ("{ clusters(first: -1) { totalCount } }", "BAD_VALUE"),
        ('{ clusters(after: "x") { totalCount } }', "BAD_CURSOR"),
        ('{ clusters(after: "MTpub3QgYW4gaXJp") { totalCount } }', "BAD_CURSOR"),
        ("{ clusters(where: {acronym: null}) { totalCount } }", "BAD_VALUE"),
        ("{ clusters(where: {acronym: {eq: null}}) { totalCount } }", "BAD_VALUE"),
        ("{ clusters(where: {acronym: {}}) { totalCount } }", "BAD_VALUE"),
        ("query A { revision } query B { revision }", "BAD_VALUE"),
        ("mutation { x }", "GRAPHQL_VALIDATION"),
        ("query($x: Int!) { clusters(first: $x) { totalCount } }", "GRAPHQL_VALIDATION"),
        ("{ ...f } fragment f on Query { ...f }", "GRAPHQL_VALIDATION"),
    ],
)
def test_wrong_requests_are_refused_with_a_code(ask: Ask, query: str, expected: str) -> None:
    answer = ask(query)
    assert answer.failed
    assert code(answer) == expected
    assert "data" not in answer.body()


def test_a_syntax_error_names_line_and_column(ask: Ask) -> None:
    assert ask("{\n  clusters(").errors[0]["locations"] == [{"line": 2, "column": 12}]


@pytest.mark.parametrize(
    "identifier",
    ["", "x", "urn:x:none", "javascript:alert(1)", 'a"> } ; DROP ALL #', "<a>", "\ud83d"],
)
def test_unknown_and_hostile_identifiers_are_null(ask: Ask, identifier: str) -> None:
    query = "query($id: ID!) { node(id: $id) { id } cluster(id: $id) { id } }"
    assert data(ask(query, {"id": identifier})) == {"node": None, "cluster": None}


# --- limits -------------------------------------------------------------------------------

DEEP = "memberOf{members{nodes{member{memberships{nodes{"


@pytest.mark.parametrize(
    ("query", "limit"),
    [
        ("{ memberships{nodes{" + DEEP * 3 + "id" + "}" * 20 + "}", "graphql_depth"),
        ("{" + "a{" * 5000, "graphql_tokens"),
        ("{" + "a{" * 900, "graphql_depth"),
        ("{" + " ".join(f"a{n}: revision" for n in range(31)) + "}", "graphql_aliases"),
        ("{ revision " + "@skip(if: false) " * 51 + "}", "graphql_directives"),
        ("{" + " ".join(f"a{n}: revision" for n in range(21)) + "}", "graphql_root_fields"),
        ("{ " + "revision " * 2100 + "}", "graphql_tokens"),
        (
            "{ ...f0 } "
            + "".join(f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }} " for n in range(100))
            + "fragment f100 on Query { "
            + "revision " * 21
            + "}",
            "graphql_root_fields",
        ),
        ("{" + " revision" * 31 + "}", "graphql_aliases"),
        (
            "{" + " ".join(f"a{n}: __schema {{ types {{ name }} }}" for n in range(4)) + "}",
            "graphql_introspection",
        ),
    ],
)
def test_too_much_text_is_refused_before_validation(ask: Ask, query: str, limit: str) -> None:
    answer = ask(query)
    assert code(answer) == "QUERY_LIMIT"
    assert answer.errors[0]["extensions"]["limit"] == limit


@pytest.mark.parametrize(
    "field", ['__type(name: "Cluster") { name }', "__schema { queryType { name } }"]
)
def test_the_schema_is_described_unless_that_is_off(ask: Ask, field: str) -> None:
    assert not ask(f"{{ {field} }}").errors
    answer = ask(f"{{ __typename {field} }}", graphql_introspection=0)
    assert code(answer) == "QUERY_LIMIT"
    assert answer.errors[0]["extensions"]["limit"] == "graphql_introspection"
    assert not ask("{ __typename }", graphql_introspection=0).errors


@pytest.mark.parametrize("field", ["claims", "translations"])
def test_records_are_of_fields_that_there_are(ask: Ask, field: str) -> None:
    query = '{ clusters { nodes { records: %s(fields: ["acronym", "nope"]) { __typename } } } }'
    answer = ask(query % field)
    assert code(answer) == "BAD_VALUE"
    assert answer.errors[0]["extensions"]["name"] == "clusters.nodes.records.fields"
    assert answer.errors[0]["extensions"]["given"] == "nope"


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("{ clusters { nodes { nam } } }", {}),
        ("{ clusters(wher: {}) { totalCount } }", {}),
        ("{ clusters(where: {acronm: {}}) { totalCount } }", {}),
        ("{ nodes(ids: []) { ... on Clustr { id } } }", {}),
        ("query ($w: ClusterWhere) { clusters(where: $w) { totalCount } }", {"w": {"acronm": {}}}),
    ],
)
def test_near_names_are_suggested_unless_that_is_off(
    ask: Ask, query: str, variables: dict[str, Any]
) -> None:
    assert "Did you mean" in ask(query, variables).errors[0]["message"]
    answer = ask(query, variables, graphql_suggestions=0)
    assert code(answer) == "GRAPHQL_VALIDATION"
    assert all("Did you mean" not in error["message"] for error in answer.errors)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ('{ clusters(where: {contested: ["nme"]}) { totalCount } }', "acronym"),
        ('{ changes(since: 0, types: ["Clustr"]) { nodes { revision } } }', "Cluster,"),
    ],
)
def test_what_is_refused_names_nothing_where_suggestions_are_off(
    ask: Ask, query: str, name: str
) -> None:
    answer = ask(query, graphql_suggestions=0)
    assert answer.errors
    assert name not in str(answer.errors)


def test_the_cost_of_nested_pages_is_estimated_and_the_field_named(ask: Ask) -> None:
    query = "{ memberships{nodes{" + DEEP + "id" + "}" * 9
    answer = ask(query, graphql_cost=20)
    assert code(answer) == "QUERY_LIMIT"
    assert answer.errors[0]["extensions"]["limit"] == "graphql_cost"
    assert answer.errors[0]["path"][:1] == ["memberships"]
    assert not ask(query).errors


def test_fragments_that_multiply_are_refused_before_they_are_compiled(ask: Ask) -> None:
    fragments = " ".join(
        f"fragment F{n} on Organisation {{ "
        + " ".join(f"{f}(first: 1) {{ nodes {{ ...F{n + 1} }} }}" for f in ("parents", "units"))
        + " }"
        for n in range(12)
    )
    last = "fragment F12 on Organisation { id }"
    query = f"{{ organisations {{ nodes {{ ...F0 }} }} }} {fragments} {last}"
    answer = ask(query, graphql_depth=50)
    assert answer.errors[0]["extensions"]["limit"] == "graphql_fields"


def nested_where(depth: int, leaf: str) -> str:
    where = leaf
    for _ in range(depth):
        where = (
            f"{{memberships: {{some: {{memberOf: {{members: {{some: {{member: {where}}}}}}}}}}}}}"
        )
    return where


def test_nested_conditions_judge_each_node_once(ask: Ask) -> None:
    """Without memory the work is the product of the fan-outs: 5 ** 6 here, and it would not end."""
    where = nested_where(3, '{label: {eq: "x"}}'.replace("label", "name"))
    found = data(ask(f"{{ actors(where: {where}) {{ totalCount }} }}"))
    assert found["actors"]["totalCount"] == 0


def test_conditions_are_limited_in_depth_and_in_what_they_look_at(ask: Ask) -> None:
    deep = ask(f"{{ actors(where: {nested_where(9, '{}')}) {{ totalCount }} }}")
    assert deep.errors[0]["extensions"]["limit"] == "graphql_depth"
    # Nothing to look up in an index: every network is asked for every member.
    where = '{members: {some: {member: {memberships: {some: {memberOf: {name: {eq: "Net"}}}}}}}}'
    query = f"{{ networks(first: 1, where: {where}) {{ totalCount }} }}"
    assert not ask(query).errors
    narrow = ask(query, graphql_nodes=0)
    assert narrow.errors[0]["extensions"]["limit"] == "graphql_nodes"


def test_nodes_that_are_remembered_count_again(ask: Ask) -> None:
    query = "{ memberships{nodes{" + DEEP + "id" + "}" * 9
    # 5 memberships; of each the network, its 5, of each its member and that one's membership
    assert code(ask(query, graphql_nodes=84)) == "QUERY_LIMIT"
    assert not ask(query, graphql_nodes=85).errors


def test_what_is_bound_once_serves_other_identifiers_languages_and_revisions(
    model: Model, schema: GraphQLSchema, snapshot: Snapshot
) -> None:
    engine = Engine(model, schema, Settings())
    viewer = anonymous(engine.settings)
    query = """query($id: ID!) { cluster(id: $id) { name memberships(first: 1) { totalCount
      nodes { memberOf { members(first: 3) { totalCount } } } } } }"""

    def ask_for(number: int, languages: tuple[str, ...], seen: Snapshot) -> tuple[str, int]:
        variables = {"id": organisation(number)[1:-1]}
        found = data(engine.answer(Request(query, None, variables, languages), seen, viewer))
        tie = found["cluster"]["memberships"]["nodes"][0]
        return found["cluster"]["name"], tie["memberOf"]["members"]["totalCount"]

    assert ask_for(0, ("en",), snapshot) == ("Cluster zero", 5)
    assert ask_for(1, ("en",), snapshot) == ("Cluster 1", 5)
    assert ask_for(0, ("fr",), snapshot) == ("Grappe 0", 5)
    tie = f"<{ENTITY}membership/o0--n--observer>"
    more = [
        (tie, f"<{TYPE}>", f"<{RZ}Membership>", A),
        (tie, f"<{ORG}organization>", NETWORK, A),
    ]
    first = commit_of(small_dataset(), (), None)
    later = build_snapshot(model, [first, commit_of(more, (), first)])
    assert ask_for(0, ("en",), later) == ("Cluster zero", 6)
    wrong = engine.answer(Request(query, None, {"id": 7}, ("en",)), later, viewer)
    assert wrong.data == {"cluster": None}  # an ID may be a number; it is no identifier here
    assert code(engine.answer(Request(query, None, {"id": None}, ("en",)), later, viewer))


def test_a_plan_is_kept_and_the_oldest_forgotten(
    model: Model, schema: GraphQLSchema, snapshot: Snapshot
) -> None:
    engine = Engine(model, schema, replace(Settings(), graphql_plans=2))
    viewer = anonymous(engine.settings)
    for text in ("{ revision }", "{ a: revision }", "{ b: revision }", "{ revision }"):
        assert not engine.answer(Request(text), snapshot, viewer).errors
    assert len(engine.plans._plans) == len(engine.plans._operations) == 2
