"""SPARQL constraints of the shapes, asked on the neighbourhood of their focus nodes.

Floor 2. A rule sees the merged triples of its focus node and, over the predicates that its query
names, of what lies up to two ties away in both directions: enough for counts and doubles. The
ontology's authors keep to that (a rule that looks further would miss what is there) and bind
`$this` in the pattern itself, so that one query can be asked about many nodes.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import islice
from typing import Final

from graph.curation.findings import Findings
from graph.curation.uniqueness import find_doubles, identity_fields
from graph.curation.view import View
from graph.model import FieldKind, Model, SparqlConstraint
from graph.store.scratch import Scratch
from graph.terms import RDF_TYPE, is_literal

_TIES: Final = 2
_QUESTIONS_AT_ONCE: Final = 500
_PREFIX: Final = re.compile(r"PREFIX\s+([\w-]*):\s*<([^>]*)>", re.IGNORECASE)
_IRI: Final = re.compile(r"<([^<>\s]*)>")
_NAME: Final = re.compile(r"[A-Za-z][\w-]*:[A-Za-z][\w-]*")

Triple = tuple[str, str, str]
#: Which nodes each rule is asked about.
Asked = dict["_Rule", set[str]]


@dataclass(frozen=True, slots=True, eq=False)
class _Rule:
    """A constraint, the classes it is about, and the predicates (N-Triples texts) it names.

    `ties` are those of them that lead to other nodes; `identity` those that together name a node
    of which there is to be one, where that is what the constraint asks.
    """

    constraint: SparqlConstraint
    targets: frozenset[str]
    predicates: tuple[str, ...]
    ties: tuple[str, ...]
    identity: tuple[str, ...]


class Rules:
    """The SPARQL constraints of a model."""

    def __init__(self, model: Model) -> None:
        fields = (f for shape in model.classes.values() for f in shape.own_fields)
        ties = {f"<{f.path}>" for f in fields if f.kind in (FieldKind.ENTITY, FieldKind.IRI)}
        self._rules = [_compile(constraint, model, ties) for constraint in model.sparql_constraints]

    def of_nodes(self, view: View, nodes: Iterable[str]) -> Asked:
        """Return the rules that apply to each node by its class."""
        asked: Asked = {}
        for node in nodes:
            self._ask(view, node, self._rules, asked)
        return asked

    def concerned(self, view: View) -> Asked:
        """Return the rules to ask after a change: on its subjects, and one tie away.

        Away from the subjects a rule is asked only if the change touches a predicate it names.
        """
        asked = self.of_nodes(view, view.subjects)
        touched: dict[str, set[str]] = {}
        for quad in (*view.added, *view.removed):
            touched.setdefault(quad[0], set()).add(quad[1])
        tied = [rule for rule in self._rules if rule.ties]
        for subject, predicates in touched.items():
            for rule in tied:
                if not predicates.isdisjoint(rule.predicates):
                    for neighbour in _neighbours(view, subject, rule.ties):
                        self._ask(view, neighbour, [rule], asked)
        for _, predicate, value, _ in view.removed:  # ties that are gone lead to no neighbour
            rules = [rule for rule in tied if predicate in rule.ties]
            if rules and not is_literal(value):
                self._ask(view, value, rules, asked)
        return asked

    def check(self, view: View, asked: Asked, findings: Findings) -> None:
        """Ask each rule about its nodes and note every solution.

        Many nodes are asked about at once: the query runs over the neighbourhoods of all, each
        node of them looked at once, and solutions for other nodes, which are not seen whole, are
        passed over.
        """
        for rule, nodes in asked.items():
            if rule.identity:
                for node in sorted(nodes):
                    for double in find_doubles(view, node, rule.identity):
                        _note(rule, {"this": node, "value": double}, findings)
                continue
            wanted = iter(sorted(nodes))
            while some := set(islice(wanted, _QUESTIONS_AT_ONCE)):
                scratch = Scratch(_neighbourhood(view, some, rule))
                for solution in scratch.select(rule.constraint.select):
                    if solution.get("this") in some:
                        _note(rule, solution, findings)

    def _ask(self, view: View, node: str, rules: Iterable[_Rule], asked: Asked) -> None:
        classes = view.types(node)
        for rule in rules:
            if not rule.targets.isdisjoint(classes):
                asked.setdefault(rule, set()).add(node)


def _neighbours(view: View, node: str, ties: Iterable[str]) -> Iterator[str]:
    for predicate in ties:
        yield from (value for value in view.values(node, predicate) if not is_literal(value))
        yield from view.referrers(predicate, node)


def _note(rule: _Rule, solution: Mapping[str, str], findings: Findings) -> None:
    constraint = rule.constraint
    findings.rule_broken(constraint.shape, constraint.severity, constraint.messages, solution)


def _neighbourhood(view: View, focuses: Set[str], rule: _Rule) -> Iterator[Triple]:
    """Yield the triples that a rule may look at; the class of a node leads nowhere."""
    for focus in focuses:
        for predicate, stated in view.node(focus).items():
            yield from ((focus, predicate, value) for value in stated)
    seen, edge = set(focuses), list(focuses)
    for _ in range(_TIES if rule.ties else 0):
        found: list[str] = []
        for node in edge:
            for neighbour in _neighbours(view, node, rule.ties):
                if neighbour not in seen:
                    seen.add(neighbour)
                    found.append(neighbour)
        for node in found:
            for predicate in (RDF_TYPE, *rule.predicates):
                yield from ((node, predicate, value) for value in view.values(node, predicate))
        edge = found


def _compile(constraint: SparqlConstraint, model: Model, ties: Container[str]) -> _Rule:
    prefixes = dict(_PREFIX.findall(constraint.select))
    body = _PREFIX.sub("", constraint.select)
    names = {name: iri for name in _NAME.findall(body) if (iri := _expand(name, prefixes))}
    iris = {f"<{iri}>" for iri in _IRI.findall(body)}
    predicates = tuple(sorted({*names.values(), *iris} - {RDF_TYPE}))
    identity = identity_fields(body, lambda name: _expand(name, prefixes))
    return _Rule(
        constraint,
        frozenset(model.descendants.get(constraint.target, (constraint.target,))),
        predicates,
        tuple(predicate for predicate in predicates if predicate in ties),
        identity if all(predicate in ties for predicate in identity) else (),
    )


def _expand(name: str, prefixes: Mapping[str, str]) -> str | None:
    """Return the N-Triples text of a prefixed name; the prefixes are the query's own."""
    prefix, _, local = name.partition(":")
    return f"<{prefixes[prefix]}{local}>" if prefix in prefixes else None
