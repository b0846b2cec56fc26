"""Basic graph patterns matched with the snapshot: the engine's answer, or none."""

from __future__ import annotations

import json
import random
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import pytest

from graph.shapes import load_model
from graph.store import matching
from graph.store.basic import read_basic
from graph.store.dataset import Dataset
from graph.store.guard import check_query
from graph.store.matching import Beside, Matched, match
from graph.store.snapshot import Snapshot
from tests.seeded import make_settings

STEPS = 1_000
TYPE = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
Triple = tuple[str, str, str]


class Both:
    """The seeds in the snapshot, and as the engine's store has them."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.beside = Beside(snapshot.model)
        term = snapshot.terms.term
        stated = {
            (term(s), f"<{predicate}>", term(o))
            for predicate, column in snapshot.forward.items()
            for s, o, _ in column.statements()
        }
        stated |= {quad[:3] for quad in snapshot.model.system_quads}
        self.triples = sorted(stated)
        self.engine = ox.Store()
        lines = "".join(f"{s} {p} {o} .\n" for s, p, o in self.triples)
        self.engine.load(lines.encode(), format=ox.RdfFormat.N_TRIPLES)

    def here(self, text: str, steps: int = STEPS) -> Matched | None:
        prologue = check_query(text, make_settings(Path())).prologue
        basic = read_basic(text, prologue)
        return None if basic is None else match(basic, self.snapshot, self.beside, steps)

    def there(self, text: str) -> Any:
        answer = self.engine.query(text)
        assert isinstance(answer, ox.QuerySolutions | ox.QueryBoolean)
        return json.loads(answer.serialize(format=ox.QueryResultsFormat.JSON) or b"")

    def compare(self, text: str) -> bool:
        """Compare both answers; False where the snapshot gives none."""
        found = self.here(text)
        if found is None:
            return False
        ours, theirs = json.loads(found.body), self.there(text)
        assert rows(ours) == rows(theirs), text
        assert found.rows == len(rows(theirs)) or "boolean" in theirs
        if "*" not in text:  # the engine has an order of its own there
            assert ours["head"] == theirs["head"]
        return True


def rows(answer: Any) -> list[str]:
    """The rows of an answer, in an order of ours."""
    if "boolean" in answer:
        return [str(answer["boolean"])]
    return sorted(json.dumps(row, sort_keys=True) for row in answer["results"]["bindings"])


@pytest.fixture(scope="module")
def both(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("matching") / "store"
    shutil.copytree(seeded_store, folder)
    dataset = Dataset.open(make_settings(folder), load_model(), with_store=False)
    yield Both(dataset.snapshot)
    dataset.close()


class Draw:
    """Draws patterns along the data, so that they often match."""

    def __init__(self, both: Both, seed: int) -> None:
        self.random = random.Random(seed)
        self.triples = both.triples
        self.near: dict[str, list[Triple]] = defaultdict(list)
        for triple in both.triples:
            self.near[triple[0]].append(triple)
            self.near[triple[2]].append(triple)

    def text(self) -> str:
        chance, names = self.random.random, dict[str, str]()
        chain = [self.random.choice(self.triples)]
        for _ in range(self.random.choice([0, 0, 1, 2, 3])):
            end = self.random.choice(self.random.choice(chain)[::2])
            chain.append(self.random.choice(self.near[end]))

        def write(term: str, variable: float) -> str:
            if chance() < variable:
                names.setdefault(term, f"?v{len(names)}")
            return names[term] if term in names and chance() < 0.9 else term

        parts = [f"{write(s, 0.5)} {write(p, 0.1)} {write(o, 0.6)}" for s, p, o in chain]
        if not names or chance() < 0.1:
            return f"ASK {{ {' . '.join(parts)} }}"
        shown = self.random.sample(sorted(names.values()), self.random.randint(1, len(names)))
        if chance() < 0.3:
            return self.counted(shown, " . ".join(parts))
        wanted = self.random.choice([" ".join(shown), "*"])
        distinct = self.random.choice(["", "DISTINCT "])
        return f"SELECT {distinct}{wanted} {{ {' . '.join(parts)} }}"

    def counted(self, shown: list[str], pattern: str) -> str:
        """A count of what a pattern finds, by some of the variables or of all."""
        groups = shown[: self.random.randint(0, len(shown))]
        of = self.random.choice(["*", *shown])
        distinct = self.random.choice(["", "DISTINCT "])
        wanted = [*groups, f"(COUNT({distinct}{of}) AS ?n)", "(COUNT(*) AS ?all)"]
        grouped = f" GROUP BY {' '.join(groups)}" if groups else ""
        return f"SELECT {' '.join(wanted)} {{ {pattern} }}{grouped}"


@pytest.mark.parametrize("seed", range(3))
def test_the_answer_is_that_of_the_engine(both: Both, seed: int) -> None:
    draw = Draw(both, seed)
    answered = sum(both.compare(draw.text()) for _ in range(200))
    assert answered > 40, "most are to be left to the engine, but not nearly all"


def test_all_that_is_said_of_each_node_is_that_of_the_engine(both: Both) -> None:
    subjects = sorted({triple[0] for triple in both.triples})[::3]
    answered = [both.compare(f"SELECT ?p ?o {{ {node} ?p ?o }}") for node in subjects]
    assert sum(answered) > len(subjects) / 2


def test_all_that_refers_to_each_term_is_that_of_the_engine(both: Both) -> None:
    values = sorted({triple[2] for triple in both.triples})[::7]
    answered = [both.compare(f"SELECT ?s ?p {{ ?s ?p {value} }}") for value in values]
    assert sum(answered) > len(values) / 3


COUNTS = (
    "SELECT ?o (COUNT(?s) AS ?n) (COUNT(DISTINCT ?s) AS ?m) { ?s %s ?o } GROUP BY ?o",
    "SELECT (COUNT(*) AS ?n) ?s (COUNT(DISTINCT ?o) AS ?m) { ?s %s ?o } GROUP BY ?s",
    "SELECT DISTINCT (COUNT(?s) AS ?n) { ?s %s ?o } GROUP BY ?s",
    "SELECT (COUNT(?s) AS ?n) (COUNT(?o) AS ?m) (COUNT(DISTINCT *) AS ?k) { ?s %s ?o }",
    "SELECT ?o { ?s %s ?o } GROUP BY ?o",
)


@pytest.mark.parametrize("text", COUNTS)
def test_counts_of_all_that_a_predicate_states_are_those_of_the_engine(
    both: Both, text: str
) -> None:
    """Contested values, the same from several sources, and the ontology count once each."""
    predicates = sorted({predicate for _, predicate, _ in both.triples})
    answered = {each for each in predicates if both.compare(text % each)}
    assert len(answered) > 0.7 * len(predicates)
    assert TYPE in answered or "GROUP BY ?s" in text, "as many groups as nodes are too many"


def test_counts_of_different_things_are_left_to_the_engine(both: Both) -> None:
    for text in (
        "SELECT (COUNT(DISTINCT ?o) AS ?n) { ?s a ?o }",
        "SELECT ?o (COUNT(DISTINCT ?o) AS ?n) { ?s a ?o } GROUP BY ?o",
        "SELECT ?s ?o (COUNT(*) AS ?n) { ?s a ?o } GROUP BY ?s ?o",
        "SELECT ?p (COUNT(*) AS ?n) { ?s ?p ?o } GROUP BY ?p",
    ):
        assert both.there(text)["results"]["bindings"]
        assert both.here(text) is None


def test_a_column_of_too_many_pages_is_left_to_the_engine(both: Both) -> None:
    text = COUNTS[0] % "a"
    assert both.here(text) is not None
    assert both.here(text, steps=100) is None


@pytest.mark.parametrize("count", ["*", "?c", "DISTINCT ?c"])
def test_what_is_not_there_is_counted_as_none_unless_it_is_grouped(both: Both, count: str) -> None:
    network = "<https://w3id.org/rhizome/id/network/plant-intercluster>"
    member = "<http://www.w3.org/ns/org#member>"
    nothing = f"{{ {network} a ?c . ?c {member} ?d . ?d {member} ?e }}"
    assert both.compare(f"SELECT (COUNT({count}) AS ?n) (COUNT(?e) AS ?m) {nothing}")
    assert both.compare(f"SELECT ?e (COUNT({count}) AS ?n) {nothing} GROUP BY ?e")


def test_as_many_groups_as_nodes_are_left_to_the_engine(both: Both) -> None:
    text = "SELECT ?s (COUNT(*) AS ?n) { ?s a ?o } GROUP BY ?s"
    assert both.here(text, steps=2_000) is None
    assert both.here(text, steps=100_000) is None, "the answer is too wide"


def test_what_only_the_store_holds_is_left_to_the_engine(both: Both) -> None:
    """A part of the ontology stands in the store alone: an answer without it would be wrong."""
    for subject, predicate, value in (
        ("<https://w3id.org/rhizome/ontology#Cluster>", "?p", "?o"),
        ("?s", "a", "<http://www.w3.org/2002/07/owl#Class>"),
        ("?s", "?p", "<https://w3id.org/rhizome/ontology#Cluster>"),
        ("<https://w3id.org/rhizome/ontology#Cluster>", "a", "?o"),
    ):
        text = f"SELECT * {{ {subject} {predicate} {value} }}"
        assert rows(both.there(text)), "the engine has an answer"
        assert both.here(text) is None


def test_a_long_text_is_sought_by_the_engine(both: Both) -> None:
    text = next(o for _, _, o in both.triples if o.endswith('"') and 70 < len(o) < 300)
    assert rows(both.there(f"SELECT * {{ ?s ?p {text} }}"))
    predicate = next(p for _, p, o in both.triples if o == text)
    assert both.here(f"SELECT * {{ ?s ?p {text} }}") is None
    assert both.here(f"SELECT * {{ ?s {predicate} {text} }}") is None


@pytest.mark.parametrize(
    "pattern",
    [
        "?s ?p ?o",
        "?s a ?c",
        "?x a <https://w3id.org/rhizome/ontology#Cluster> . ?y a ?z",
        "<urn:unknown> ?p ?o",
        "?s <urn:unknown> ?o",
        "?s <urn:unknown> ?s",
        "<relative> ?p ?o",
        "?x a <https://w3id.org/rhizome/ontology#Cluster> . ?x ?p ?o . ?p ?q ?r",
    ],
)
def test_what_has_no_beginning_or_no_name_here_is_left_to_the_engine(
    both: Both, pattern: str
) -> None:
    assert both.here(f"SELECT * {{ {pattern} }}") is None


def test_work_above_the_steps_is_left_to_the_engine(both: Both) -> None:
    text = "SELECT ?c ?n { ?c a <https://w3id.org/rhizome/ontology#Cluster> ; " + (
        "<http://www.w3.org/2004/02/skos/core#prefLabel> ?n }"
    )
    assert both.compare(text)
    assert both.here(text, steps=20) is None


def test_an_answer_that_is_long_is_left_to_the_engine(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "SELECT ?c ?p ?o { ?c a <https://w3id.org/rhizome/ontology#Network> ; ?p ?o }"
    found = both.here(text)
    assert found is not None
    monkeypatch.setattr(matching, "CHARACTERS", len(found.body) // 4)
    assert both.here(text) is None


def test_a_wide_answer_is_left_to_the_engine(both: Both) -> None:
    wanted = [f"<http://www.w3.org/2004/02/skos/core#prefLabel> ?n{number}" for number in range(9)]
    text = f"{{ ?c a <https://w3id.org/rhizome/ontology#Cluster> ; {' ; '.join(wanted)} }}"
    narrow, wide = f"SELECT DISTINCT ?c {text}", f"SELECT DISTINCT * {text}"
    assert both.here(narrow, steps=100_000) is not None
    assert both.here(wide, steps=100_000) is None


def test_nothing_is_said_of_a_literal(both: Both) -> None:
    """And no long one is written out to find that."""
    text = "ASK { ?n a <https://w3id.org/rhizome/ontology#Network> ; %s ?d . ?d %s ?t }"
    description = "<http://purl.org/dc/terms/description>"
    for predicate in ("a", "?p", description):
        assert both.compare(text % (description, predicate))
