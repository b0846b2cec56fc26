"""Rules over neighbourhoods: what is asked equals the query, and its cost does not grow by hubs."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache

import pytest

from graph.curation.findings import Findings
from graph.curation.rules import Rules
from graph.curation.uniqueness import identity_fields
from graph.curation.validate import Validator
from graph.curation.view import Node, View
from graph.errors import Violation
from graph.store.snapshot import Snapshot
from graph.terms import RDF_TYPE, Quad
from tests.samples import iri, model, rz, snapshot_of

EURIO = "http://data.europa.eu/s66#"
PROJECT, ORGANISATION = f"<{EURIO}isInvolvedIn>", f"<{EURIO}isRoleOf>"
MINE = iri("source/mine")


class Counting(View):
    """A view that counts what it hands out."""

    steps = 0

    def node(self, subject: str) -> Node:
        found = super().node(subject)
        self.steps += 1 + len(found)
        return found

    def values(self, subject: str, predicate: str) -> list[str]:
        found = super().values(subject, predicate)
        self.steps += 1 + len(found)
        return found

    def referrers(self, predicate: str, node: str) -> list[str]:
        found = super().referrers(predicate, node)
        self.steps += 1 + len(found)
        return found

    def quads_to(self, node: str) -> list[Quad]:
        found = super().quads_to(node)
        self.steps += 1 + len(found)
        return found


@cache
def validator() -> Validator:
    return Validator(model())


def _role(name: str, project: str, organisation: str) -> list[Quad]:
    role = iri(f"project-role/{name}")
    return [
        (role, RDF_TYPE, rz("ProjectRole"), MINE),
        (role, PROJECT, iri(f"project/{project}"), MINE),
        (role, ORGANISATION, iri(f"organisation/{organisation}"), MINE),
        (iri(f"project/{project}"), RDF_TYPE, rz("Project"), MINE),
        (iri(f"project/{project}"), rz("statedPartnerCount"), '"2"', MINE),
        (iri(f"organisation/{organisation}"), RDF_TYPE, rz("Company"), MINE),
    ]


def _hub(count: int) -> list[Quad]:
    return [quad for n in range(count) for quad in _role(f"r{n}", f"p{n}", "hub")]


def _steps(snapshot: Snapshot, added: list[Quad], removed: list[Quad] | None = None) -> int:
    view = Counting(snapshot, added, removed or ())
    validator().validate(view)
    return view.steps


def _doubles(view: View, rules: Rules | None = None) -> set[tuple[str, str | None]]:
    if rules is None:
        found = validator().validate(view)
    else:
        findings = Findings(model())
        rules.check(view, rules.concerned(view), findings)
        found = findings.sorted()
    return {(v.focus_node, v.value) for v in found if _is_double(v)}


def _is_double(violation: Violation) -> bool:
    return violation.constraint == "sparql" and "has a second" in violation.message


def test_the_cost_of_many_ties_to_one_node_is_linear() -> None:
    empty = snapshot_of(())
    few, many = (_steps(empty, _hub(count)) for count in (300, 1_200))
    assert few > 300
    assert many < 4.2 * few


def test_one_tie_more_to_a_node_with_many_costs_the_same() -> None:
    one = _role("new", "p-new", "hub")
    small, large = snapshot_of(_hub(20)), snapshot_of(_hub(2_000))
    assert _steps(large, one) == _steps(small, one) < 200
    double = _role("new", "p7", "hub")
    assert _steps(large, double) == _steps(small, double) < 200
    assert _steps(large, [], _role("r7", "p7", "hub")[:3]) < 200


def test_a_double_is_found_from_the_smaller_side() -> None:
    large = snapshot_of(_hub(2_000))
    added = _role("new", "p7", "hub")
    assert _doubles(View(large, added)) == {(iri("project-role/new"), iri("project-role/r7"))}
    gone = _role("r7", "p7", "hub")[:3]
    assert _doubles(View(large, added, gone)) == set()


@pytest.mark.parametrize("seed", range(20))
def test_the_join_answers_as_the_query_does(seed: int) -> None:
    random_ = random.Random(seed)
    queries = Rules(model())
    queries._rules = [replace(rule, identity=()) for rule in queries._rules]
    pool = [
        quad
        for n in range(14)
        for quad in _role(f"r{random_.randrange(9)}", f"p{n % 3}", f"o{random_.randrange(3)}")
    ]
    before = random_.sample(pool, len(pool) // 2)
    view = View(snapshot_of(tuple(dict.fromkeys(before))), pool, random_.sample(before, 8))
    assert _doubles(view) == _doubles(view, queries)


def test_the_rules_of_uniqueness_are_recognised() -> None:
    rules = {rule.constraint.shape.rpartition("#")[2][:-1]: rule for rule in Rules(model())._rules}
    assert {name for name, rule in rules.items() if rule.identity} == {
        name for name in rules if name.endswith("-uniqueness")
    }
    assert rules["ProjectRole-uniqueness"].identity == (PROJECT, ORGANISATION)


@pytest.mark.parametrize(
    "body",
    [
        "SELECT DISTINCT $this ?value WHERE { $this e:p ?a . ?value e:q ?a . "
        "FILTER ( ?value != $this ) }",
        "SELECT DISTINCT $this ?value WHERE { $this e:p ?a ; e:q ?a . ?value e:p ?a ; e:q ?a . "
        "FILTER ( ?value != $this ) }",
        "SELECT DISTINCT $this ?value WHERE { $this e:p e:a . ?value e:p e:a . "
        "FILTER ( ?value != $this ) }",
        "SELECT DISTINCT $this ?value WHERE { $this f:p ?a . ?value f:p ?a . "
        "FILTER ( ?value != $this ) }",
    ],
)
def test_other_queries_are_asked_as_they_are(body: str) -> None:
    assert identity_fields(body, {"e:p": "<a:p>", "e:q": "<a:q>", "e:a": "<a:a>"}.get) == ()
