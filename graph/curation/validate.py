"""Validates a change against the shapes, on the neighbourhood of what it changes.

Floor 2. Cardinality and text rules hold per named graph; presence, class and node rules hold on
the union (DESIGN 4a, rule 1). A change is looked at through a `View`; nodes that it does not
touch are looked at only where a tie to them changed. Results equal those of pySHACL; a test says
so. It knows nothing of provenance and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from graph.curation.findings import Findings
from graph.curation.messages import DEFAULT_LANGUAGE, say
from graph.curation.plans import PathPlan, Plan, node_predicates, plan_classes, plan_shape
from graph.curation.rules import Rules
from graph.curation.view import Node, View
from graph.errors import Violation
from graph.model import ONTOLOGY_GRAPH, Model
from graph.terms import RDF_TYPE, is_literal

_SYSTEM: Final = f"<{ONTOLOGY_GRAPH}>"


class Validator:
    """Checks nodes against the shapes of a model; keeps what it compiled."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._plans: dict[frozenset[str], Plan] = {}
        self._shapes: dict[str, Plan] = {}
        self._fitting = node_predicates(model)
        self._rules = Rules(model)

    def validate(self, view: View, language: str = DEFAULT_LANGUAGE) -> list[Violation]:
        """Return what is wrong with a change, and its warnings, violations first.

        Looked at are the subjects of the changed quads; their referrers and targets where a tie
        or a class changed; and the nodes one tie away whose SPARQL rules the change may concern.

        Cost: about 0.1 ms a changed subject.
        """
        run = _Run(self, view, Findings(self.model, language))
        changed = view.subjects
        for node in sorted(changed):
            run.check(node, is_new=not view.types_before(node).issuperset(view.types(node)))
        run.check_ties(changed)
        self._rules.check(view, self._rules.concerned(view), run.findings)
        return run.findings.sorted()

    def validate_nodes(
        self, view: View, nodes: Iterable[str], language: str = DEFAULT_LANGUAGE
    ) -> list[Violation]:
        """Return what is wrong with given nodes, whatever changed; all of them: a whole dataset."""
        run = _Run(self, view, Findings(self.model, language))
        wanted = sorted(set(nodes))
        for node in wanted:
            run.check(node, is_new=True)
        self._rules.check(view, self._rules.of_nodes(view, wanted), run.findings)
        return run.findings.sorted()

    def plan(self, classes: frozenset[str]) -> Plan:
        """Return the plan of nodes with these classes."""
        plan = self._plans.get(classes)
        if plan is None:
            plan = self._plans[classes] = plan_classes(self.model, classes)
        return plan

    def shape(self, iri: str) -> Plan:
        """Return the plan of a node shape."""
        plan = self._shapes.get(iri)
        if plan is None:
            plan = self._shapes[iri] = plan_shape(self.model, iri)
        return plan

    def fits_by(self, predicate: str) -> bool:
        """Tell whether a predicate decides if a node fits a shape that others refer to."""
        return predicate in self._fitting


@dataclass
class _Run:
    """One validation: the view, the results, and what was found out on the way."""

    validator: Validator
    view: View
    findings: Findings
    _fits: dict[tuple[str, str], bool] = field(default_factory=dict)

    def check(self, node: str, *, is_new: bool) -> None:
        """Check everything on one node; the nodes that refer to it only if its class is new."""
        values = self.view.node(node)
        if not values:
            return
        plan = self.validator.plan(self.view.types(node))
        self._check_model(node, values, plan)
        self._check_path(plan.own, node, {node: []})
        for predicate, path in plan.forward.items():
            self._check_path(path, node, values.get(predicate, {}))
        for predicate, path in plan.inverse.items():
            if is_new or path.union or path.lists:
                self._check_inverse(path, predicate, node, is_new=is_new)

    def check_ties(self, changed: set[str]) -> None:
        """Check unchanged nodes at the other end of what changed."""
        view = self.view
        lessened = {q[0] for q in view.removed if self.validator.fits_by(q[1])}
        for node in sorted(changed):
            if node in lessened or not view.types_before(node) <= view.types(node):
                self._check_referrers(node, changed)
                self._check_targets(node)
        for subject, predicate, value, _ in view.added:
            self._check_target(subject, predicate, value)
        for _, predicate, value, _ in (*view.added, *view.removed):
            path = self._inverse(predicate, value)
            if path is not None and (path.lists or path.union):
                self._check_inverse(path, predicate, value, is_new=False)

    def _check_model(self, node: str, values: Node, plan: Plan) -> None:
        """Check that the model has a place for all that is said: no unknown class or field."""
        classes = self.validator.model.classes
        known: list[str] = []
        for term, graphs in values.get(RDF_TYPE, {}).items():
            if is_literal(term):
                message = say("typeNotIri", self.findings.language)
                self.findings.closed(node, RDF_TYPE, term, graphs[0], message)
            elif term[1:-1] in classes:
                known.append(term[1:-1])
            elif graphs != [_SYSTEM]:
                self.findings.unknown_class(node, term, graphs[0])
        if not values.get(RDF_TYPE):
            graph = min(g for stated in values.values() for gs in stated.values() for g in gs)
            message = say("noType", self.findings.language)
            self.findings.closed(node, RDF_TYPE, None, graph, message)
        if not known:
            return
        if all(classes[iri].abstract for iri in known):
            self._abstract(node, known[0], values[RDF_TYPE][f"<{known[0]}>"][0])
        assert plan.allowed is not None
        for predicate, stated in values.items():
            if predicate not in plan.allowed:
                graph = min(g for graphs in stated.values() for g in graphs)
                if graph != _SYSTEM:
                    self.findings.unknown_field(node, predicate, plan.allowed, known, graph)

    def _abstract(self, node: str, iri: str, graph: str) -> None:
        model, short = self.validator.model, self.findings.short
        concrete = [d for d in model.descendants[iri] if not model.classes[d].abstract][:3]
        message = say(
            "abstractClass",
            self.findings.language,
            term=short(iri),
            known=", ".join(map(short, concrete)),
        )
        self.findings.closed(node, RDF_TYPE, f"<{iri}>", graph, message)

    def _check_path(self, path: PathPlan, focus: str, stated: Mapping[str, list[str]]) -> None:
        """Check the values of one path; `stated` gives each with the graphs that state it."""
        found = self.findings
        for constraint, check in path.values:
            for value, graphs in stated.items():
                if not check(value):
                    for graph in graphs or (None,):
                        found.broken(constraint, focus, value, graph)
        for constraint, look in path.lists:
            for graph, values in _by_graph(stated).items():
                actual = look(values)
                if actual is not None:
                    found.broken(constraint, focus, None, graph, actual)
        for constraint, look in path.union:
            actual = look(list(stated))
            if actual is not None:
                found.broken(constraint, focus, None, None, actual)
        for value in stated:
            self._check_node(path, focus, value)

    def _check_node(self, path: PathPlan, focus: str, value: str) -> None:
        """Check the class and shape of one value, over all graphs."""
        for constraint, accepted in path.classes:
            if is_literal(value) or accepted.isdisjoint(self.view.types(value)):
                self.findings.broken(constraint, focus, value)
        for constraint, shape in path.shapes:
            if not self._fits_shape(value, shape):
                self.findings.broken(constraint, focus, value)

    def _check_inverse(self, path: PathPlan, predicate: str, node: str, *, is_new: bool) -> None:
        referrers = self.view.referrers(predicate, node)
        for constraint, look in (*path.lists, *path.union):
            actual = look(referrers)
            if actual is not None:
                self.findings.broken(constraint, node, None, None, actual)
        if is_new:
            for referrer in referrers:
                self._check_value(path, node, referrer)

    def _check_value(self, path: PathPlan, focus: str, value: str) -> None:
        for constraint, check in path.values:
            if not check(value):
                self.findings.broken(constraint, focus, value)
        self._check_node(path, focus, value)

    def _check_referrers(self, node: str, changed: set[str]) -> None:
        """Check the unchanged nodes that need this one to be what it no longer may be."""
        for subject, predicate, _, _ in self.view.quads_to(node):
            if subject not in changed:
                path = self.validator.plan(self.view.types(subject)).forward.get(predicate)
                if path is not None:
                    self._check_node(path, subject, node)

    def _check_targets(self, node: str) -> None:
        for predicate, stated in self.view.node(node).items():
            for value in stated:
                self._check_target(node, predicate, value)

    def _check_target(self, subject: str, predicate: str, value: str) -> None:
        """Check one tie from the side of its target."""
        path = self._inverse(predicate, value)
        if path is not None:
            self._check_value(path, value, subject)

    def _inverse(self, predicate: str, value: str) -> PathPlan | None:
        """Return what is to be checked of those who refer to a value by a predicate."""
        if predicate == RDF_TYPE or is_literal(value):
            return None
        return self.validator.plan(self.view.types(value)).inverse.get(predicate)

    def _fits_shape(self, node: str, shape: str) -> bool:
        known = self._fits.get((node, shape))
        if known is None:
            self._fits[node, shape] = True  # what a shape that leads back to itself may assume
            known = self._fits[node, shape] = self._conforms(node, self.validator.shape(shape))
        return known

    def _conforms(self, node: str, plan: Plan) -> bool:
        """Tell whether a node fits a plan, without a word."""
        silent = _Run(self.validator, self.view, Findings(self.validator.model), self._fits)
        silent._check_path(plan.own, node, {node: []})
        for predicate, path in plan.forward.items():
            stated: Mapping[str, list[str]] = {}
            if path.lists and not is_literal(node):
                stated = self.view.node(node).get(predicate, {})
            elif not is_literal(node):
                stated = {value: [] for value in self.view.values(node, predicate)}
            silent._check_path(path, node, stated)
        for predicate, path in plan.inverse.items():
            silent._check_inverse(path, predicate, node, is_new=True)
        return not silent.findings.sorted()


def _by_graph(stated: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the values that each graph states, the system graph apart."""
    grouped: dict[str, list[str]] = {}
    for value, graphs in stated.items():
        for graph in graphs:
            if graph != _SYSTEM:
                grouped.setdefault(graph, []).append(value)
    return grouped
