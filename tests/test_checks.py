"""Constraints that the ontology does not use yet, or only in one way, on a model of their own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graph.curation.checks import compile_list_check, compile_value_check
from graph.curation.validate import Validator
from graph.curation.view import View
from graph.errors import OntologyError, Violation
from graph.model import Constraint
from graph.terms import RZ, SKOS, XSD, Quad
from tests.samples import base, iri, model, read_trig, rz, snapshot_of

ORGANIZATION = "http://www.w3.org/ns/org#organization"
SH = "http://www.w3.org/ns/shacl#"
SHAPE = "https://w3id.org/rhizome/shapes#Test"


def _constraint(
    component: str,
    parameter: int | str | tuple[str, ...],
    path: str | None = ORGANIZATION,
    *,
    inverse: bool = False,
    target: str = "Network",
) -> Constraint:
    return Constraint(
        RZ + target, f"<{SHAPE}>", path, inverse, component, parameter, "Violation", {}
    )


def _validator(*constraints: Constraint, **shapes: tuple[Constraint, ...]) -> Validator:
    own = model()
    named = {f"https://w3id.org/rhizome/shapes#{name}": cs for name, cs in shapes.items()}
    return Validator(
        replace(
            own,
            constraints=(*own.constraints, *constraints),
            node_shapes={**own.node_shapes, **named},
        )
    )


def _found(validator: Validator, view: View) -> list[tuple[str, str | None, str]]:
    before = {v for v in validator.validate(View(snapshot_of(()), base())) if not _is_ours(v)}
    return [
        (v.focus_node.rpartition("/id/")[2][:-1], v.path, v.constraint)
        for v in validator.validate(view)
        if v not in before and v.severity == "Violation"
    ]


def _is_ours(violation: Violation) -> bool:
    return violation.severity == "Violation"


def _membership(name: str) -> list[Quad]:
    return read_trig(
        f"source:one {{ membership:{name} a rz:Membership ; org:member organisation:b ; "
        'org:organization network:n ; org:role role:member ; rz:status "stated" ; '
        "rz:evidence evidence:one-1 . }"
    )


def test_the_last_tie_to_a_node_that_needs_one_cannot_go() -> None:
    validator = _validator(_constraint("minCount", 1, inverse=True))
    tie = [q for q in base() if q[0] == iri("membership/a--n--member")]
    expected = [("network/n", f"^<{ORGANIZATION}>", "minCount")]
    assert _found(validator, View(snapshot_of(base()), [], tie)) == expected
    assert _found(validator, View(snapshot_of(base()), _membership("b"), tie)) == []
    alone = read_trig('source:one { network:m a rz:Network ; skos:prefLabel "M"@en . }')
    assert _found(validator, View(snapshot_of(base()), alone)) == [
        ("network/m", f"^<{ORGANIZATION}>", "minCount")
    ]


def test_a_tie_too_many_is_seen_at_its_unchanged_target() -> None:
    validator = _validator(_constraint("maxCount", 1, inverse=True))
    assert _found(validator, View(snapshot_of(base()), _membership("b"))) == [
        ("network/n", f"^<{ORGANIZATION}>", "maxCount")
    ]
    tie = [q for q in base() if q[0] == iri("membership/a--n--member")]
    assert _found(validator, View(snapshot_of(base()), _membership("b"), tie)) == []


def test_values_of_inverse_paths_are_checked() -> None:
    wanted = _constraint("pattern", ("membership/a", ""), inverse=True)
    assert _found(_validator(wanted), View(snapshot_of(base()), _membership("b"))) == [
        ("network/n", f"^<{ORGANIZATION}>", "pattern")
    ]


def test_constraints_on_the_node_itself() -> None:
    validator = _validator(
        _constraint("nodeKind", f"{SH}IRI", None),
        _constraint("pattern", ("/network/", ""), None),
        _constraint("in", (iri("network/n"),), None),
    )
    assert _found(validator, View(snapshot_of(()), base())) == []
    other = read_trig('source:one { id:m a rz:Network ; skos:prefLabel "M"@en . }')
    assert _found(validator, View(snapshot_of(base()), other)) == [
        ("m", None, "in"),
        ("m", None, "pattern"),
    ]


def test_a_demanded_value() -> None:
    sector = f"{RZ}sector"
    validator = _validator(_constraint("hasValue", iri("concept/sector--seeds"), sector))
    assert _found(validator, View(snapshot_of(()), base())) == []
    gone = [q for q in base() if q[1] == rz("sector")]
    assert _found(validator, View(snapshot_of(base()), [], gone)) == [
        ("network/n", f"<{sector}>", "hasValue")
    ]


def test_shapes_of_nodes_with_all_kinds_of_constraints() -> None:
    label = f"{SKOS}prefLabel"
    shape = (
        _constraint("maxCount", 1, label),
        _constraint("minCount", 1, ORGANIZATION, inverse=True),
        _constraint("nodeKind", f"{SH}IRI", None),
    )
    validator = _validator(
        _constraint("node", SHAPE, ORGANIZATION, target="Membership"), Test=shape
    )
    assert _found(validator, View(snapshot_of(()), base())) == []
    two = [(iri("network/n"), f"<{label}>", '"Réseau N"@fr', iri("source/one"))]
    assert _found(validator, View(snapshot_of(()), [*base(), *two])) == [
        ("membership/a--n--member", f"<{ORGANIZATION}>", "node")
    ]


def test_a_shape_that_leads_back_to_itself_ends() -> None:
    again = _constraint("node", SHAPE, f"{RZ}partner")
    validator = _validator(_constraint("node", SHAPE, target="Membership"), Test=(again,))
    assert _found(validator, View(snapshot_of(()), base())) == []


def test_a_shape_that_is_not_there_stops() -> None:
    validator = _validator(_constraint("node", SHAPE, target="Membership"))
    with pytest.raises(OntologyError, match="does not exist"):
        validator.validate(View(snapshot_of(()), base()))


def test_a_constraint_that_is_not_known_is_never_passed_over() -> None:
    validator = _validator(_constraint("equals", "x"))
    with pytest.raises(OntologyError, match="sh:equals cannot be checked"):
        validator.validate(View(snapshot_of(()), base()))
    for compile_ in (compile_value_check, compile_list_check):
        with pytest.raises(OntologyError, match="sh:equals cannot be checked"):
            compile_(_constraint("equals", "x"))


def _typed(value: str, name: str) -> str:
    return f'"{value}"^^<{XSD}{name}>'


@pytest.mark.parametrize(
    ("component", "parameter", "right", "wrong"),
    [
        ("minInclusive", _typed("1", "integer"), ["1", "1.5", "7"], ["0", "-3", "0.99"]),
        ("maxInclusive", _typed("1", "integer"), ["1", "0.5", "-7"], ["2", "1.01"]),
    ],
)
def test_numbers_are_compared_by_value(
    component: str, parameter: str, right: list[str], wrong: list[str]
) -> None:
    check = compile_value_check(_constraint(component, parameter))
    for values, expected in ((right, True), (wrong, False)):
        for value in values:
            name = "decimal" if "." in value else "integer"
            assert check(_typed(value, name)) is expected
    for other in ('"1"', "<a:b>", _typed("2020-01-01", "date")):
        assert check(other) is False


def test_dates_are_compared_as_dates() -> None:
    least = compile_value_check(_constraint("minInclusive", _typed("2020-06-01", "date")))
    most = compile_value_check(_constraint("maxInclusive", _typed("2020-06-01", "date")))
    days = [_typed(day, "date") for day in ("2019-12-31", "2020-06-01", "2021-01-01")]
    assert [least(day) for day in days] == [False, True, True]
    assert [most(day) for day in days] == [True, True, False]
    assert not least(_typed("2021", "gYear"))


@pytest.mark.parametrize(
    ("kind", "accepted"),
    [("IRI", "i"), ("Literal", "l"), ("IRIOrLiteral", "il"), ("BlankNode", "")],
)
def test_node_kinds(kind: str, accepted: str) -> None:
    check = compile_value_check(_constraint("nodeKind", SH + kind))
    assert [check("<a:b>"), check('"x"')] == ["i" in accepted, "l" in accepted]


def test_patterns_and_lengths_look_at_the_text() -> None:
    pattern = compile_value_check(_constraint("pattern", ("^a.c$", "is")))
    assert [pattern(t) for t in ('"ABC"', '"a\\nc"@en', '"abcd"', "<a:c>")] == [
        True,
        True,
        False,
        True,
    ]
    shortest = compile_value_check(_constraint("minLength", 3))
    longest = compile_value_check(_constraint("maxLength", 3))
    for text, length in (('"é\\n"', 2), ('"abc"@en', 3), ("<a:bc>", 4)):
        assert (shortest(text), longest(text)) == (length >= 3, length <= 3)
