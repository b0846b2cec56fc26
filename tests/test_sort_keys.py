"""Ranks of many texts and nodes are those that comparing each by itself gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from graph.model import Model
from graph.shapes import load_model
from graph.store.build import build_snapshot
from graph.store.snapshot import Snapshot
from graph.store.term_table import PAGE, TermTable
from graph.terms import RZ, write_literal
from schema.collation import LENGTH, collation_key, first_bytes
from schema.sort_keys import rank_nodes, rank_texts
from tests.asking import listed_dataset
from tests.snapshots import commit_of

#: What folds, decomposes, changes its length, stands among signs, or begins alike.
_LETTERS = st.sampled_from([*"aAbBzZéÉßœŒøıﬁΣς0 9_:@|~[", "\x00", "\x7f", "́", "ü", "中", "😀"])
_TEXTS = st.text(_LETTERS, max_size=24) | st.builds(
    str.__add__, st.just("Network of the sector "), st.text(_LETTERS, max_size=60)
)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    model: Model = load_model()
    return build_snapshot(model, [commit_of(listed_dataset(), (), None)])


def _exactly(text: str) -> Any:
    return collation_key(text), text


def _ranked(terms: TermTable, numbers: list[int], key: Any) -> list[int]:
    ranks = rank_texts(terms, np.array(numbers, np.uint32), key)
    found: list[int] = ranks.tolist()
    return found


def _expected(texts: list[str], key: Any) -> list[int]:
    keys = [key(text[:LENGTH]) for text in texts]
    distinct = sorted(set(keys))
    return [distinct.index(each) for each in keys]


@given(st.lists(st.tuples(_TEXTS, st.sampled_from(["en", "fr"])), unique=True, max_size=40))
@example([("éß", "en"), ("éss", "en"), ("ß", "fr"), ("SS", "fr")])
@example([("x" * 200 + "a", "en"), ("x" * 200 + "b", "en"), ("x" * 300, "fr")])
def test_texts_are_ranked_as_their_keys_are_compared(texts: list[tuple[str, str]]) -> None:
    terms = TermTable()
    numbers = [terms.add(write_literal(text, "", language)) for text, language in texts]
    for key in (collation_key, _exactly):
        assert _ranked(terms, numbers, key) == _expected([text for text, _ in texts], key)


@given(_TEXTS, _TEXTS)
def test_first_bytes_never_contradict_the_keys(one: str, other: str) -> None:
    if first_bytes(one) < first_bytes(other):
        assert collation_key(one) < collation_key(other)


def test_what_a_page_holds_more_is_seen() -> None:
    terms = TermTable()
    texts = [f"Name {(at * 37) % 600:03}" for at in range(600)]
    numbers: list[int] = []
    for text in texts:
        numbers.append(terms.add(write_literal(text, "", "en")))
        if len(numbers) in (1, 2, PAGE - 1, PAGE, PAGE + 1, 600):
            expected = _expected(texts[: len(numbers)], collation_key)
            assert _ranked(terms, numbers, collation_key) == expected


def test_nothing_has_no_ranks(snapshot: Snapshot) -> None:
    assert _ranked(snapshot.terms, [], collation_key) == []
    nodes = np.zeros(0, np.uint32)
    assert not len(rank_nodes(snapshot, f"{RZ}Cluster", nodes))


@pytest.mark.parametrize("class_name", ["Cluster", "Organisation", "Project", "Platform"])
def test_nodes_are_ranked_by_identifier_whatever_their_class(
    snapshot: Snapshot, class_name: str
) -> None:
    nodes = sorted({*snapshot.instances(f"{RZ}Cluster"), *snapshot.instances(f"{RZ}Project")})
    for some in (nodes, nodes[::-1], list(snapshot.instances(f"{RZ}Cluster"))[::2]):
        ranks = rank_nodes(snapshot, f"{RZ}{class_name}", np.array(some, np.uint32))
        in_order = sorted(some, key=snapshot.terms.order)
        assert [in_order.index(node) for node in some] == ranks.tolist()
