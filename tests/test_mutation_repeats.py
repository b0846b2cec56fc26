"""Dry runs, lost updates, idempotency keys, and writers at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from graph.access import Level
from graph.curation.draft import Draft
from graph.curation.editing import Editor
from graph.curation.gate import Gate
from graph.curation.mutations import Mutations
from graph.curation.mutations import _body as mutation_body
from graph.curation.repeats import Repeat, make_repeat
from graph.errors import (
    BadValueError,
    KeyReusedError,
    QueryTooLargeError,
    RevisionConflictError,
    StoreUnavailableError,
)
from graph.terms import ENTITY, RZ, Quad
from tests.gates import state, submit
from tests.mutating import (
    JOINED,
    MINE,
    A,
    ask,
    create,
    gate,
    mutations,
    named,
    run,
    stated,
    update,
    viewer,
)
from tests.samples import base

__all__ = ["gate", "mutations"]  # fixtures


# --- dry runs, revisions, keys ------------------------------------------------------------------


def test_a_dry_run_answers_and_changes_nothing(gate: Gate, mutations: Mutations) -> None:
    before = state(gate)
    outcome = run(mutations, create("Cluster", named("New")), dry_run=True)
    assert (outcome.accepted, outcome.revision) == (True, 1)
    assert outcome.ids == (f"{ENTITY}organisation/new",)
    assert outcome.warnings
    assert not run(mutations, create("Cluster", {"acronym": 7}), dry_run=True).accepted
    assert state(gate) == before


def test_what_changed_since_is_not_written_over(gate: Gate, mutations: Mutations) -> None:
    (one,) = run(mutations, create("Cluster", named("One"))).ids
    (two,) = run(mutations, create("Cluster", named("Two"))).ids
    before = state(gate)
    for seen in (1, 0, -1, 99):
        with pytest.raises(RevisionConflictError):
            run(mutations, update("Cluster", two or "", {"acronym": "T"}), if_revision=seen)
    assert state(gate) == before
    assert run(mutations, update("Cluster", one or "", {"acronym": "O"}), if_revision=2).accepted
    assert run(mutations, update("Cluster", two or "", {"acronym": "T"}), if_revision=3).accepted
    theirs = viewer("you")
    act = update("Cluster", one or "", {"homepage": "https://e.org/"})
    assert run(mutations, act, source=f"{MINE}-2", who=theirs).accepted
    with pytest.raises(RevisionConflictError):
        run(mutations, update("Cluster", one or "", {"acronym": "P"}), if_revision=5)


def test_a_repeat_gets_the_first_answer(gate: Gate, mutations: Mutations) -> None:
    act = create("Cluster", named("New"))
    first = run(mutations, act, key="key-00001")
    run(mutations, create("Cluster", named("Other")))
    again = run(mutations, act, key="key-00001")
    assert again.repeated
    assert not first.repeated
    assert (again.revision, again.ids, again.warnings) == (2, first.ids, first.warnings)
    assert gate.dataset.log.revision == 3


def test_a_key_is_remembered_by_the_log(gate: Gate, mutations: Mutations) -> None:
    act = create("Cluster", {**named("New"), "memberships": [JOINED]})
    first = run(mutations, act, key="key-00001", message="why")
    anew = Mutations(gate)
    again = run(anew, act, key="key-00001", message="why")
    assert (again.accepted, again.repeated, again.revision, again.ids) == (True, True, 2, first.ids)
    assert {w.violation for w in again.warnings} == {w.violation for w in first.warnings}
    with pytest.raises(KeyReusedError):
        run(Mutations(gate), act, key="key-00001", message="another")
    assert gate.dataset.log.revision == 2


def test_a_key_belongs_to_one_request_of_one_agent(gate: Gate, mutations: Mutations) -> None:
    run(mutations, create("Cluster", named("One")), key="key-00001")
    with pytest.raises(KeyReusedError) as caught:
        run(mutations, create("Cluster", named("Two")), key="key-00001")
    assert caught.value.revision == 2
    theirs = run(mutations, create("Cluster", named("Two")), key="key-00001", who=viewer("you"),
                 source=f"{MINE}-2")  # fmt: skip
    assert (theirs.accepted, theirs.repeated) == (True, False)


def test_a_refused_request_may_be_mended_under_its_key(mutations: Mutations) -> None:
    assert not run(mutations, create("Cluster", {"acronym": 7}), key="key-00001").accepted
    assert run(mutations, create("Cluster", {"acronym": "S"}), key="key-00001").accepted


def test_a_message_cannot_claim_a_key(gate: Gate, mutations: Mutations) -> None:
    run(mutations, create("Cluster", named("One")), key="key-00001")
    mark = next(gate.dataset.log.headers(1)).message
    before = state(gate)
    for message in (f"x {mark}", "a (request b"):
        with pytest.raises(BadValueError, match="message"):
            run(mutations, create("Cluster", named("Two")), message=message)
    assert state(gate) == before


@pytest.mark.parametrize(
    ("agent", "activity", "end", "is_believed"),
    [
        ("me", "mutation", "", True),
        ("other", "mutation", "", False),
        ("me", "edit", "", False),
        ("me", "mutation", " and more", False),
    ],
)
def test_a_mark_is_believed_only_of_its_agent_and_at_the_end(
    gate: Gate, agent: str, activity: str, end: str, is_believed: bool
) -> None:
    act = create("Cluster", named("New"))
    mark = make_repeat("me", "key-of-eight", mutation_body(ask(act), Level.PUBLIC)).mark
    acronym = [quad for quad in base() if quad[:2] == (f"<{A}>", f"<{RZ}acronym>")]
    submit(gate, (), acronym, agent=agent, activity=activity, message=f"x{mark}{end}")
    outcome = run(Mutations(gate), act, key="key-of-eight")
    assert (outcome.repeated, outcome.revision) == (is_believed, 2 if is_believed else 3)


@pytest.mark.parametrize("key", ["", "short", "with space", "x" * 129, "näh-00001", "a\nb-00001"])
def test_a_key_is_plain_text(mutations: Mutations, key: str) -> None:
    with pytest.raises(BadValueError, match="idempotencyKey"):
        run(mutations, create("Cluster", named("New")), key=key)


@pytest.mark.parametrize("message", ["a\nb", "x" * 501, "\x1b[31m"])
def test_a_message_is_one_short_line(mutations: Mutations, message: str) -> None:
    with pytest.raises(BadValueError, match="message"):
        run(mutations, create("Cluster", named("New")), message=message)


def test_a_batch_has_a_limit(mutations: Mutations) -> None:
    with pytest.raises(QueryTooLargeError, match="graphql_writes"):
        run(mutations, *[create("Cluster", named(f"New {n}")) for n in range(501)])


def test_nested_relations_and_evidence_count_as_acts(mutations: Mutations) -> None:
    evidence = [{"quote": f"quote {n}"} for n in range(498)]
    fitting = {**named("New"), "evidence": evidence[1:], "memberships": [JOINED]}
    assert run(mutations, create("Cluster", fitting)).accepted
    beyond = {**named("Newer"), "evidence": evidence, "memberships": [JOINED]}
    with pytest.raises(QueryTooLargeError, match="graphql_writes") as caught:
        run(mutations, create("Cluster", beyond))
    assert caught.value.actual == 501


class _Unread(dict[Quad, None]):
    """A draft's quads, which may be asked for but not read through."""

    def __iter__(self) -> Iterator[Quad]:
        raise AssertionError("the whole draft is read")


def test_what_a_draft_says_of_a_node_is_found_without_reading_it_all(gate: Gate) -> None:
    draft = Draft(f"<{MINE}>", gate.settings, added=_Unread())
    draft.state("<a:a>", "a:p", "<a:b>", ())
    draft.state("<a:b>", "a:p", "<a:b>", ())
    quads = [(s, "<a:p>", "<a:b>", f"<{MINE}>") for s in ("<a:a>", "<a:b>")]
    assert [*draft.added_of("<a:a>")] == quads[:1]
    assert [*draft.added_to("<a:b>")] == quads
    draft.withdraw(quads[:1])
    draft.withdraw([("<a:a>", "<a:p>", "<a:c>", f"<{MINE}>")])
    assert not [*draft.added_of("<a:a>")]
    assert [*draft.added_to("<a:b>")] == quads[1:]
    draft.state("<a:a>", "a:p", "<a:b>", ())
    assert {*draft.added_to("<a:b>")} == {*quads}
    editor = Editor(gate.model, gate.dataset.snapshot, draft)
    evidence = [{"quote": "one"}, {"quote": "two"}]
    values = {**named("New"), "evidence": evidence, "memberships": [JOINED]}
    assert editor.apply(create("Cluster", values))
    assert draft.problems == []


def test_concurrent_writers_lose_nothing(gate: Gate, mutations: Mutations) -> None:
    errors: list[BaseException] = []

    def work(who: str) -> None:
        try:
            for number in range(5):
                outcome = run(
                    mutations,
                    create("Cluster", named(f"{who} {number}")),
                    source=f"{MINE}-{who}",
                    who=viewer(who),
                    key=f"key-{number:05}",
                )
                assert outcome.accepted, outcome.violations
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert gate.dataset.log.revision == 21
    for n in range(4):
        for number in range(5):
            assert stated(gate, f"{ENTITY}organisation/w{n}-{number}", f"{MINE}-w{n}")


def test_one_key_sent_at_once_is_one_change(gate: Gate, mutations: Mutations) -> None:
    revisions: list[int] = []

    def work() -> None:
        revisions.append(run(mutations, create("Cluster", named("New")), key="key-00001").revision)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert revisions == [2] * 6
    assert gate.dataset.log.revision == 2


def test_a_commit_that_fails_is_forgotten(
    gate: Gate, mutations: Mutations, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(gate.dataset.log, "_write_headers", fail)
    with pytest.raises(StoreUnavailableError):
        run(mutations, create("Cluster", named("New")), key="key-00001")
    assert gate.dataset.snapshot.revision == 1
    assert mutations._repeats._find(Repeat("me", "x", "y")) is None
    assert len(mutations._repeats._kept) == 0
