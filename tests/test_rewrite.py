"""Each rule of plans, alone: the plan as it was compiled, and what the rule makes of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from graphql import OperationDefinitionNode, parse, validate

from graph.access import anonymous
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from schema.compile import SchemaIndex, compile_operation
from schema.execute import Engine, Request
from schema.explain import write_plan
from schema.loading import load_schema
from schema.plan import Plan
from schema.rewrite import RULES, rewrite
from tests.asking import listed_dataset
from tests.snapshots import commit_of

FOLDER = Path(__file__).parent / "rewrites"
MODEL = load_model()


@cache
def index() -> SchemaIndex:
    return SchemaIndex(MODEL, load_schema(MODEL))


def compiled(text: str) -> Plan:
    document = parse(text)
    assert not validate(index().schema, document), text
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return compile_operation(index(), document, operation, {}, Settings().graphql_fields)


def test_each_rule_has_documents_to_show_what_it_does() -> None:
    assert {path.stem for path in FOLDER.glob("*.graphql")} == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_does_what_its_fixture_shows(
    rule: str, assert_current: Callable[[Path, str], None]
) -> None:
    pieces = []
    for text in (FOLDER / f"{rule}.graphql").read_text(encoding="utf-8").strip().split("\n\n"):
        plan = compiled(text)
        found = rewrite(plan, MODEL, {rule})
        before, after = write_plan(plan), write_plan(found.plan)
        assert (before != after) is (found.fired == (rule,)), text
        changed = after if found.fired else "(stays)"
        pieces.append(f"{text}\n\n{before}\n\n=> {rule}\n\n{changed}\n")
    assert_current(FOLDER / f"{rule}.plan", "\n---\n\n".join(pieces))


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_changes_nothing_where_it_was_applied(rule: str) -> None:
    for text in (FOLDER / f"{rule}.graphql").read_text(encoding="utf-8").strip().split("\n\n"):
        once = rewrite(compiled(text), MODEL, {rule}).plan
        assert write_plan(rewrite(once, MODEL, {rule}).plan) == write_plan(once)


def test_rules_make_room_for_each_other() -> None:
    text = (
        '{ clusters(first: 3, where: {not: {not: {or: [{or: [{acronym: {eq: "A"}}]}, '
        '{acronym: {eq: "B"}}]}}, and: [{}], isNull: false}) { nodes { id } } }'
    )
    found = rewrite(compiled(text), MODEL)
    assert "(first: 3, where: {acronym: {in: ['A', 'B']}})" in write_plan(found.plan)
    assert "from index {acronym: {in: ['A', 'B']}} until full" in write_plan(found.plan)
    assert found.fired == (
        *("push_negation_down", "remove_double_negation", "flatten", "fold_constants"),
        *("merge_alternatives", "seek_in_index", "stop_when_full"),
    )


VARIABLES = {
    "w": {"and": [{"not": {"not": {"name": {"contains": "cluster"}}}}], "isNull": False},
    "more": [{"name": {"contains": "c"}}],
    "a": "NEW",
}


@pytest.mark.parametrize("rule", RULES)
def test_answers_stay_what_they_are(rule: str) -> None:
    snapshot = build_snapshot(MODEL, [commit_of(listed_dataset(), (), None)])
    schema, settings = index().schema, Settings()
    engines = [Engine(MODEL, schema, settings, rewrites=rewrites) for rewrites in (True, False)]
    for text in (FOLDER / f"{rule}.graphql").read_text(encoding="utf-8").strip().split("\n\n"):
        given = {name: value for name, value in VARIABLES.items() if f"${name}" in text}
        request = Request(text, None, given, ("en",))
        on, off = (each.answer(request, snapshot, anonymous(settings)) for each in engines)
        assert not off.errors, off.errors
        assert on.data == off.data
