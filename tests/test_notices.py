"""Notices: what becomes of entities between two versions, against a naive comparison."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import orjson
import pytest

from graph.access import Scope, Viewer, anonymous
from graph.errors import RhizomeError
from graph.model import FieldKind
from graph.settings import Settings
from graph.store.advance import advance
from graph.store.build import build_snapshot
from graph.store.difference import find_difference
from graph.store.snapshot import TYPE, Snapshot
from graph.terms import ENTITY, RZ, SKOS, Quad, write_literal
from schema.execute import Engine, Request
from schema.loading import load_schema
from schema.notices import CommitNote, Cursor, Step, Subscription
from schema.plans import InvalidDocumentError
from schema.subscribing import Subscriber
from tests.asking import A, B, data, organisation, small_dataset
from tests.mutating import viewer as token_viewer
from tests.require import ROOT
from tests.samples import model
from tests.snapshots import commit_of, random_history

ASKED = "kind id fields revision since resume node { id } previous { id }"
ALT = f"<{SKOS}altLabel>"
ACRONYM = f"<{RZ}acronym>"
COUNTRY = f"<{RZ}country>"


@cache
def subscriber(**changes: Any) -> Subscriber:
    settings = Settings(**changes)
    return Subscriber(Engine(model(), load_schema(model()), settings))


def prepare(
    query: str, snapshot: Snapshot, viewer: Viewer | None = None, **variables: Any
) -> Subscription:
    who = viewer or anonymous(Settings())
    request = Request(query, None, variables, ("en",))
    found = subscriber().prepare(request, snapshot, who)
    assert found is not None
    return found


def step_of(before: Snapshot, after: Snapshot, *notes: CommitNote) -> Step:
    return Step(find_difference(before, after), "2026-11-22T00:00:00Z", notes)


def tell(subscription: Subscription, step: Step) -> list[dict[str, Any]]:
    """All notices of a step, batch by batch."""
    found: list[dict[str, Any]] = []
    cursor: Cursor | None = Cursor()
    while cursor is not None:
        batch = subscription.batch(step, cursor)
        for message in batch.messages:
            body = orjson.loads(message.payload)
            (notice,) = body["data"].values()
            if "resume" in notice:
                assert notice["resume"] == message.resume
            found.append(notice)
        cursor = batch.rest
    return found


class Story:
    """A small dataset and what is changed of it."""

    def __init__(self, quads: Iterable[Quad] = ()) -> None:
        self.commit = commit_of([*small_dataset(), *quads], (), None)
        self.before = build_snapshot(model(), [self.commit])

    def change(self, added: Iterable[Quad] = (), removed: Iterable[Quad] = ()) -> Step:
        self.commit = commit_of(added, removed, self.commit)
        after = advance(self.before, self.commit)
        step = step_of(self.before, after)
        self.before = after
        return step

    def told(self, query: str, step: Step, **variables: Any) -> list[dict[str, Any]]:
        snapshot = step.difference.after
        return tell(prepare(f"subscription {query}", snapshot, **variables), step)


def kinds(notices: list[dict[str, Any]]) -> list[tuple[str, str, list[str]]]:
    return [(n["id"].rpartition("/")[2], n["kind"], n["fields"]) for n in notices]


def cluster(number: int, name: str) -> list[Quad]:
    term = organisation(number)
    return [
        (term, f"<{TYPE}>", f"<{RZ}Cluster>", A),
        (term, f"<{SKOS}prefLabel>", write_literal(name, language="en"), A),
    ]


def test_what_is_created_updated_and_deleted_is_told() -> None:
    story = Story()
    gone = [q for q in small_dataset() if q[0] == organisation(4)]
    step = story.change(
        [*cluster(9, "Nine"), (organisation(1), ACRONYM, '"ONE"', A)],
        [q for q in gone if q[3] == A],
    )
    told = story.told(f"{{ clusterChanged {{ {ASKED} }} }}", step)
    assert kinds(told) == [
        ("o1", "UPDATED", ["acronym"]),
        ("o4", "DELETED", ["memberships", "name", "types"]),
        ("o9", "CREATED", ["name", "types"]),
    ]
    assert [(n["since"], n["revision"], n["resume"]) for n in told] == [(1, 2, 1)] * 2 + [(1, 2, 2)]
    assert [n["node"] is None for n in told] == [False, True, False]
    assert [n["previous"] is None for n in told] == [False, False, True]


def test_each_version_of_a_node_is_read_as_it_was() -> None:
    story = Story()
    step = story.change(
        [(organisation(1), ALT, '"Another"@en', A)],
    )
    asked = (
        "{ x: clusterChanged { a: kind __typename node { ...N memberships { totalCount } } "
        "previous { ...N } } } fragment N on Cluster { __typename id altNames }"
    )
    (notice,) = story.told(asked, step)
    assert notice["__typename"] == "ClusterNotice"
    assert notice["a"] == "UPDATED"
    assert notice["node"]["altNames"] == ["Another"]
    assert notice["node"]["memberships"] == {"totalCount": 1}
    assert notice["previous"]["altNames"] == []


def test_a_commit_that_leaves_all_answers_as_they_are_is_no_news() -> None:
    story = Story()
    # Source B ranks first: what A says of the same acronym is not answered, and what both say is.
    hidden = story.change([(organisation(0), COUNTRY, "<http://e.x/1>", A)])
    del hidden
    again = story.change([(organisation(2), f"<{SKOS}prefLabel>", '"Cluster 2"@en', B)])
    assert again.difference.nodes
    assert story.told(f"{{ clusterChanged {{ {ASKED} }} }}", again) == []
    assert story.told(f"{{ changed {{ {ASKED} }} }}", again) == []
    lower = story.change([(organisation(0), ACRONYM, '"OTHER"', A)])
    assert story.told(f"{{ clusterChanged {{ {ASKED} }} }}", lower) == []


def test_a_source_that_rises_changes_what_it_answers() -> None:
    story = Story()
    rank = f"<{RZ}rank>"
    raised = [
        (A, rank, write_literal("9", "http://www.w3.org/2001/XMLSchema#integer"), A),
    ]
    lowered = [(s, p, o, g) for s, p, o, g in small_dataset() if s == A and p.endswith("ank>")]
    assert lowered, "the small dataset ranks its sources"
    step = story.change([(A, lowered[0][1], raised[0][2], A)], lowered)
    told = story.told(f"{{ clusterChanged {{ {ASKED} }} }}", step)
    assert ("o0", "UPDATED", ["acronym", "name"]) in kinds(told)
    assert len(told) == 1


def test_ties_are_fields_of_both_ends() -> None:
    story = Story()
    tie = f"<{ENTITY}membership/o1--n--member>"
    removed = [q for q in small_dataset() if q[0] == tie]
    step = story.change((), removed)
    told = kinds(story.told(f"{{ changed {{ {ASKED} }} }}", step))
    assert ("o1", "UPDATED", ["memberships"]) in told
    assert ("n", "UPDATED", ["memberships"]) in told or any(n[0] == "n" for n in told)
    assert any(n[:2] == ("o1--n--member", "DELETED") for n in told)


def test_conditions_tell_who_comes_and_who_goes() -> None:
    story = Story()
    query = f'{{ clusterChanged(where: {{acronym: {{eq: "X"}}}}) {{ {ASKED} }} }}'
    came = story.change(
        [
            (organisation(1), ACRONYM, '"X"', A),
            *cluster(9, "Nine"),
            (organisation(9), ACRONYM, '"X"', A),
        ]
    )
    assert [k[:2] for k in kinds(story.told(query, came))] == [("o1", "ENTERED"), ("o9", "CREATED")]
    stays = story.change([(organisation(1), ALT, '"Alias"@en', A)])
    assert kinds(story.told(query, stays)) == [("o1", "UPDATED", ["altNames"])]
    elsewhere = story.change([(organisation(2), ALT, '"Alias"@en', A)])
    assert story.told(query, elsewhere) == []
    left = story.change((), [(organisation(1), ACRONYM, '"X"', A)])
    (notice,) = story.told(query, left)
    assert (notice["kind"], notice["node"] is None) == ("LEFT", False)


def test_a_condition_on_linked_nodes_follows_them() -> None:
    story = Story()
    network = f"<{ENTITY}network/n>"
    where = (
        '{or: [{memberships: {some: {memberOf: {acronym: {eq: "NET"}}}}}, '
        '{not: {memberships: {none: {memberOf: {acronym: {eq: "NET"}}}}}}]}'
    )
    query = f"{{ clusterChanged(where: {where}) {{ {ASKED} }} }}"
    came = story.change([(network, ACRONYM, '"NET"', A)])
    assert kinds(story.told(query, came)) == [(f"o{n}", "ENTERED", []) for n in range(5)]
    went = story.change((), [(network, ACRONYM, '"NET"', A)])
    assert kinds(story.told(query, went)) == [(f"o{n}", "LEFT", []) for n in range(5)]


def test_classes_come_and_go_by_type() -> None:
    story = Story()
    plain = organisation(7)
    step = story.change(
        [(plain, f"<{TYPE}>", f"<{RZ}Company>", A), (plain, f"<{SKOS}prefLabel>", '"P"@en', A)]
    )
    assert story.told(f"{{ clusterChanged {{ {ASKED} }} }}", step) == []
    assert kinds(story.told(f"{{ companyChanged {{ {ASKED} }} }}", step))[0][1] == "CREATED"
    turned = story.change(
        [(plain, f"<{TYPE}>", f"<{RZ}Cluster>", A)], [(plain, f"<{TYPE}>", f"<{RZ}Company>", A)]
    )
    (came,) = story.told(f"{{ clusterChanged {{ {ASKED} }} }}", turned)
    (went,) = story.told(f"{{ companyChanged {{ {ASKED} }} }}", turned)
    (same,) = story.told(f"{{ organisationChanged {{ {ASKED} }} }}", turned)
    assert (came["kind"], came["previous"]) == ("ENTERED", None)
    assert (went["kind"], went["node"]) == ("LEFT", None)
    assert (same["kind"], same["fields"]) == ("UPDATED", ["types"])


def test_choices_narrow_what_is_told() -> None:
    story = Story()
    step = story.change(
        [
            *cluster(9, "Nine"),
            (organisation(1), ACRONYM, '"ONE"', A),
            (organisation(2), ALT, '"Two"@en', A),
        ]
    )
    one = organisation(1)[1:-1]
    for arguments, expected in (
        ('types: ["Cluster"]', ["o1", "o2", "o9"]),
        ('types: ["Network", "Company"]', []),
        (f'ids: ["{one}", "no iri"]', ["o1"]),
        ("kinds: [CREATED]", ["o9"]),
        ("kinds: []", []),
        ("kinds: UPDATED", ["o1", "o2"]),
        ('fields: ["altNames"]', ["o2", "o9"]),
        ("ids: []", []),
    ):
        told = story.told(f"{{ changed({arguments}) {{ {ASKED} }} }}", step)
        assert [k[0] for k in kinds(told)] == expected, arguments
    told = story.told(f"($ids: [ID!]) {{ changed(ids: $ids) {{ {ASKED} }} }}", step, ids=[one])
    assert len(told) == 1
    told = story.told(f"($ids: [ID!]) {{ changed(ids: $ids) {{ {ASKED} }} }}", step)
    assert len(told) == 3


def test_a_large_step_comes_in_batches_of_which_only_the_end_is_a_place_to_go_on_from() -> None:
    story = Story()
    many = [q for number in range(100, 331) for q in cluster(number, f"C {number}")]
    step = story.change(many)
    told = story.told(f"{{ clusterChanged {{ {ASKED} }} }}", step)
    assert len(told) == 231
    assert [n["resume"] for n in told] == [1] * 230 + [2]
    assert len({n["id"] for n in told}) == 231
    fits = 'where: {name: {eq: "C 105"}}'
    (only,) = story.told(f"{{ clusterChanged({fits}) {{ {ASKED} }} }}", step)
    assert only["resume"] == 2
    assert story.told('{ clusterChanged(where: {name: {eq: "none"}}) { id } }', step) == []


def test_commits_are_for_those_who_may_see_them() -> None:
    story = Story()
    note = CommitNote(2, "2026-11-22T00:00:00Z", "me", "mutation", "why", None)
    step = story.change([(organisation(1), ACRONYM, '"ONE"', A)])
    step = Step(step.difference, step.time, (note,))
    query = "subscription { changed { commits { who: agent message __typename source } } }"
    snapshot = step.difference.after
    for who in (None, token_viewer("me", Scope.WRITE)):
        with pytest.raises(RhizomeError) as refused:
            prepare(query, snapshot, who)
        assert refused.value.code == ("FORBIDDEN" if who else "UNAUTHENTICATED")
    (told,) = tell(prepare(query, snapshot, token_viewer("me", Scope.CHANGES)), step)
    assert told["commits"] == [
        {"who": "me", "message": "why", "__typename": "NoticeCommit", "source": None}
    ]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ('{ changed(types: ["Nothing"]) { id } }', "UNKNOWN_TERM"),
        ('{ changed(fields: ["nothing"]) { id } }', "UNKNOWN_TERM"),
        ('{ clusterChanged(fields: ["totalCost"]) { id } }', "UNKNOWN_TERM"),
        ("{ changed(sinceRevision: -1) { id } }", "BAD_VALUE"),
        ("{ changed(sinceRevision: 99) { id } }", "BAD_VALUE"),
        ('{ clusterChanged(where: {founded: {latest: {gt: "soon"}}}) { id } }', "BAD_VALUE"),
        ("{ clusterChanged(where: {acronym: {}}) { id } }", "BAD_VALUE"),
        ("{ clusterChanged { node { memberships(first: 501) { totalCount } } } }", "QUERY_LIMIT"),
    ],
)
def test_what_cannot_be_watched_is_refused_at_once(query: str, code: str) -> None:
    with pytest.raises(RhizomeError) as refused:
        prepare(f"subscription {query}", Story().before)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "query",
    [
        "{ changed { id } b: clusterChanged { id } }",
        "{ __typename }",
        "{ changed { nothing } }",
        "{ changed @skip(if: true) { id } }",
        "{ ... @skip(if: true) { changed { id } } }",
        "{ changed(kinds: [GONE]) { id } }",
        "($n: Int!) { changed(sinceRevision: $n) { id } }",
    ],
)
def test_documents_that_are_not_valid_are_refused(query: str) -> None:
    with pytest.raises(InvalidDocumentError):
        prepare(f"subscription {query}", Story().before)


def test_many_ids_and_conditions_are_over_a_limit() -> None:
    ids = [f"urn:{n}" for n in range(501)]
    with pytest.raises(RhizomeError) as refused:
        prepare("subscription ($i: [ID!]) { changed(ids: $i) { id } }", Story().before, i=ids)
    assert refused.value.code == "QUERY_LIMIT"
    where = {"or": [{"acronym": {"eq": str(n)}} for n in range(600)]}
    query = "subscription ($w: ClusterWhere) { clusterChanged(where: $w) { id } }"
    with pytest.raises(RhizomeError) as refused:
        prepare(query, Story().before, w=where)
    assert refused.value.code == "QUERY_LIMIT"
    deep: dict[str, Any] = {"acronym": {"eq": "x"}}
    for _ in range(40):
        deep = {"not": deep}
    with pytest.raises(RhizomeError) as refused:
        prepare(query, Story().before, w=deep)
    assert refused.value.code == "QUERY_LIMIT"


def test_queries_and_mutations_are_no_subscriptions() -> None:
    request = Request("{ revision }")
    assert subscriber().prepare(request, Story().before, anonymous(Settings())) is None


def test_the_example_of_the_page_can_be_asked() -> None:
    page = (ROOT / "docs" / "subscriptions.md").read_text(encoding="utf-8")
    query = page.partition("```graphql\n")[2].partition("```")[0]
    story = Story()
    assert prepare(query, story.before).watch.where is not None


# --- against the naive comparison -------------------------------------------------------------


def whole_query() -> str:
    """A query for all that can be answered of an organisation, whatever its class."""
    parts = []
    for field in model().fields[model().by_name["Organisation"].iri].values():
        if field.exposure != "public" or field.unique_language:
            continue
        below = ""
        if field.kind is FieldKind.ENTITY:
            below = "(first: 500) { nodes { id } }" if field.many else "{ id }"
        elif field.kind is FieldKind.DATE:
            below = "{ text earliest latest }"
        parts.append(f"{field.name} {below}")
    whole = " ".join(parts)
    return (
        "query ($where: OrganisationWhere, $after: String) { organisations(first: 100, "
        "where: $where, after: $after) { pageInfo { hasNextPage endCursor } nodes { "
        f"id types __typename translations {{ field language text }} {whole} }} }} }}"
    )


def picture(snapshot: Snapshot, where: Any = None) -> dict[str, dict[str, Any]]:
    """Each organisation that fits, with what each of its fields answers."""
    engine = subscriber().engine
    viewer = token_viewer()
    found: dict[str, dict[str, Any]] = {}
    after = None
    while True:
        request = Request(whole_query(), None, {"where": where, "after": after}, ("en",))
        page = data(
            engine.answer(
                request, snapshot, Viewer(viewer.name, viewer.level, viewer.scopes, 10**6, 1.0)
            )
        )["organisations"]
        for node in page["nodes"]:
            texts: dict[str, Any] = {}
            for each in node.pop("translations"):
                texts.setdefault(each["field"], set()).add((each["language"], each["text"]))
            node.update(texts)
            found[node["id"]] = node
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


def expected(
    before: Snapshot, after: Snapshot, where: Any
) -> set[tuple[str, str, tuple[str, ...]]]:
    """What a naive comparison of all that both versions answer would tell."""
    all_before, all_after = picture(before), picture(after)
    old, new = picture(before, where), picture(after, where)
    found = set()
    for iri in old.keys() | new.keys():
        a, b = all_before.get(iri, {}), all_after.get(iri, {})
        names = (a.keys() | b.keys()) - {"id", "__typename"}
        empty: tuple[Any, ...] = (None, [], {"nodes": []}, set())
        fields = tuple(
            sorted(
                n
                for n in names
                if a.get(n) != b.get(n) and not (a.get(n) in empty and b.get(n) in empty)
            )
        )
        if iri in old and iri in new:
            if fields:
                found.add((iri, "UPDATED", fields))
        elif iri in new:
            is_new = before.class_of(before.number_of(f"<{iri}>") or 0) is None
            found.add((iri, "CREATED" if is_new else "ENTERED", fields))
        else:
            is_gone = after.class_of(after.number_of(f"<{iri}>") or 0) is None
            found.add((iri, "DELETED" if is_gone else "LEFT", fields))
    return found


WHERES: list[Any] = [
    None,
    {"name": {"contains": "1"}},
    {"memberships": {"count": {"gte": 1}}},
    {"not": {"founded": {"text": {"in": ["2001", "2002", "2003"]}}}},
    {"contested": []},
]


@pytest.mark.parametrize("where", WHERES, ids=str)
def test_notices_are_the_difference_of_what_both_versions_answer(where: Any) -> None:
    query = (
        "subscription ($where: OrganisationWhere) { organisationChanged(where: $where) "
        "{ kind id fields } }"
    )
    snapshot = build_snapshot(model())
    told = 0
    for commit, _ in random_history(model(), 5, 14):
        after = advance(snapshot, commit)
        variables = {} if where is None else {"where": where}
        notices = tell(prepare(query, after, **variables), step_of(snapshot, after))
        found = {(n["id"], n["kind"], tuple(n["fields"])) for n in notices}
        assert found == expected(snapshot, after, where)
        assert len(found) == len(notices)
        told += len(found)
        snapshot = after
    assert told > 5
