"""What is kept of which text answers: right for each language, each node, each version."""

from __future__ import annotations

from typing import Any

import pytest

from graph.access import anonymous
from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot, step
from graph.store.snapshot import Snapshot
from graph.terms import SKOS, write_literal
from schema.chosen import ChosenTexts
from schema.execute import Engine, Request
from schema.languages import language_order
from schema.loading import load_schema
from tests.asking import A, B, data, organisation, small_dataset
from tests.snapshots import commit_of

NAMES = "{ clusters { nodes { id name } } }"
PREF_LABEL = f"{SKOS}prefLabel"


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture
def engine(model: Model) -> Engine:
    return Engine(model, load_schema(model), Settings())


def names(engine: Engine, snapshot: Snapshot, *languages: str) -> dict[str, Any]:
    answer = engine.answer(
        Request(NAMES, None, None, languages), snapshot, anonymous(engine.settings)
    )
    return {f"<{each['id']}>": each["name"] for each in data(answer)["clusters"]["nodes"]}


def named(name: str, language: str, graph: str) -> tuple[str, str, str, str]:
    text = write_literal(name, None, language)
    return organisation(4), f"<{PREF_LABEL}>", text, graph


def test_each_order_of_languages_has_its_own_choices(engine: Engine, model: Model) -> None:
    quads = [*small_dataset(), named("Deutsch", "de", A), named("Polski", "pl", A)]
    snapshot = build_snapshot(model, [commit_of(quads, (), None)])
    for _ in range(2):  # the second time from what is kept
        assert names(engine, snapshot, "de")[organisation(4)] == "Deutsch"
        assert names(engine, snapshot, "pl", "de")[organisation(4)] == "Polski"
        assert names(engine, snapshot, "de", "pl")[organisation(4)] == "Deutsch"


def test_a_new_version_answers_its_own_texts(engine: Engine, model: Model) -> None:
    begun = commit_of([*small_dataset(), named("Old", "de", A)], (), None)
    first = build_snapshot(model, [begun])
    assert names(engine, first, "de")[organisation(4)] == "Old"
    added, removed = [named("New", "de", A)], [named("Old", "de", A)]
    second = step(first, commit_of(added, removed, begun))
    assert names(engine, second, "de")[organisation(4)] == "New"
    assert names(engine, first, "de")[organisation(4)] == "Old"


def test_of_one_language_the_better_source_answers(engine: Engine, model: Model) -> None:
    quads = [*small_dataset(), named("Of A", "de", A), named("Of B", "de", B)]
    snapshot = build_snapshot(model, [commit_of(quads, (), None)])
    best = min((A, B), key=snapshot.source_order)
    wanted = {A: "Of A", B: "Of B"}[best]
    assert {names(engine, snapshot, "de")[organisation(4)] for _ in range(2)} == {wanted}


def test_what_has_no_text_is_looked_up_once(model: Model) -> None:
    snapshot = build_snapshot(model, [commit_of(small_dataset(), (), None)])
    chosen = ChosenTexts(snapshot).of(f"{SKOS}definition", language_order(("en",)))
    assert chosen.choose(3, 7) is None
    assert (chosen[3][7], chosen[3][8]) == (1, 0)


def test_few_orders_are_kept_however_many_are_asked_for(model: Model) -> None:
    texts = ChosenTexts(build_snapshot(model, [commit_of(small_dataset(), (), None)]))
    usual = language_order(("en", "fr"))
    for number in range(40):
        texts.of(PREF_LABEL, language_order((f"x{number}",)))
        long = language_order(tuple(f"y{number}-{n}" for n in range(200)))
        assert texts.of(PREF_LABEL, long) is not texts.of(PREF_LABEL, long)
    assert texts.of(PREF_LABEL, usual) is texts.of(PREF_LABEL, usual)
    assert len(texts._kept) <= 8
