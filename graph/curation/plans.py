"""What is to be checked on a node of given classes: one plan for each set of classes.

Floor 2. A plan gathers the constraints of all classes and superclasses of a node by predicate,
so that checking a node is a walk over its values. Plans are made once and kept by the validator.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from graph.curation.checks import (
    OF_GRAPHS,
    OF_UNION,
    OF_VALUES,
    ListCheck,
    ValueCheck,
    accepted_classes,
    compile_list_check,
    compile_served_checks,
    compile_value_check,
)
from graph.errors import OntologyError
from graph.model import Constraint, Model
from graph.terms import RDF_TYPE


@dataclass(slots=True)
class PathPlan:
    """The checks of one predicate, forward or inverse.

    `values` look at each value, `lists` at the values of each graph, `union` at all values;
    `classes` ask for the value's class, `shapes` for its fit to a node shape (by IRI).
    """

    values: list[tuple[Constraint, ValueCheck]] = field(default_factory=list)
    lists: list[tuple[Constraint, ListCheck]] = field(default_factory=list)
    union: list[tuple[Constraint, ListCheck]] = field(default_factory=list)
    classes: list[tuple[Constraint, frozenset[str]]] = field(default_factory=list)
    shapes: list[tuple[Constraint, str]] = field(default_factory=list)

    def add(self, constraint: Constraint, model: Model) -> None:
        """Take a constraint.

        Raises
        ------
        OntologyError
            The constraint is of a kind that is not checked.
        """
        component = constraint.component
        if component in OF_VALUES:
            self.values.append((constraint, compile_value_check(constraint)))
            self.values.extend(compile_served_checks(constraint))
        elif component in OF_GRAPHS:
            self.lists.append((constraint, compile_list_check(constraint)))
        elif component in OF_UNION:
            self.union.append((constraint, compile_list_check(constraint)))
        elif component == "class":
            self.classes.append((constraint, accepted_classes(constraint, model)))
        elif component == "node":
            self.shapes.append((constraint, str(constraint.parameter)))
        else:
            raise OntologyError(constraint.shape, f"sh:{component} cannot be checked")


@dataclass(slots=True)
class Plan:
    """The checks of a node: on itself, by predicate, by inverse predicate; and what it may say.

    Predicates are N-Triples texts. `allowed` is None where anything may be said.
    """

    own: PathPlan
    forward: dict[str, PathPlan]
    inverse: dict[str, PathPlan]
    allowed: frozenset[str] | None


def plan_classes(model: Model, classes: Iterable[str]) -> Plan:
    """Return the plan of nodes that have these classes, superclasses included."""
    known = [iri for iri in classes if iri in model.classes]
    targets = {ancestor for iri in known for ancestor in model.ancestors[iri]}
    plan = _plan(model, (c for c in model.constraints if c.target in targets))
    allowed = {f"<{p}>" for iri in known for p in model.allowed[iri]}
    plan.allowed = frozenset({RDF_TYPE, *allowed})
    return plan


def plan_shape(model: Model, shape: str) -> Plan:
    """Return the plan of a node shape that other shapes refer to by `sh:node`.

    Raises
    ------
    OntologyError
        There is no such shape.
    """
    if shape not in model.node_shapes:
        raise OntologyError(shape, "is referred to by sh:node and does not exist")
    return _plan(model, model.node_shapes[shape])


def node_predicates(model: Model) -> frozenset[str]:
    """Return the predicates (N-Triples texts) by which a node fits a shape of `sh:node`."""
    return frozenset(f"<{c.path}>" for cs in model.node_shapes.values() for c in cs if c.path)


def _plan(model: Model, constraints: Iterable[Constraint]) -> Plan:
    plan = Plan(PathPlan(), {}, {}, None)
    for constraint in constraints:
        if constraint.path is None:
            path = plan.own
        else:
            side = plan.inverse if constraint.inverse else plan.forward
            path = side.setdefault(f"<{constraint.path}>", PathPlan())
        path.add(constraint, model)
    return plan
