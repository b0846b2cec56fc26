"""Conditions of `where`: a function from a node's number to true or false.

Floor 4. What is unknown meets no condition on a value; `not` turns any answer round. Conditions
on lists ask whether some, every or no element fits, so that they never repeat a node. Where an
index can name the nodes to check is said in `schema/candidates.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final

from graph.errors import BadValueError
from graph.model import Field, FieldKind, Model
from graph.store.snapshot import Snapshot
from graph.store.term_table import NIL, SHIFT
from graph.terms import XSD, is_iri
from schema.aggregates import SUMS, Measures, extreme_key
from schema.naming import public_fields
from schema.operators import NEGATIVE, Operators, Test, exact, given, lexical, listed, number_test
from schema.quantifiers import QUANTIFIERS, ListTest, all_of, quantify
from schema.validity import AS_OF, Validity, is_as_of
from schema.values import Many, Values, is_text, label_field, part_field

Condition = Callable[[int], bool]
Where = Mapping[str, Any]
MakeCondition = Callable[[Where], Condition]

#: Parts of a date, and their place among its values.
PARTS: Final = {"text": 0, "earliest": 1, "latest": 2}


class Filters:
    """Conditions over one snapshot, for one request.

    `charge` is told of every value that is looked at, and raises when the request has looked at
    enough. A condition judges each node once; what it found is remembered.
    """

    def __init__(self, values: Values, charge: Callable[[int], None]) -> None:
        self.values = values
        self.snapshot: Snapshot = values.snapshot
        self.model: Model = values.model
        self.charge = charge
        self.measures = Measures(values, charge)
        self.operators = Operators(self.snapshot, values.text, charge)
        self.validity = Validity(values)

    def condition(self, class_iri: str, where: Where) -> Condition:
        """Return the condition that all of `where` holds for a node.

        Raises
        ------
        BadValueError
            A value is null, or cannot be compared with those of its field.
        """
        tests = [self._test(class_iri, name, below) for name, below in given(where).items()]
        first = tests[0] if len(tests) == 1 else None
        judged: dict[int, bool] = {}
        charge = self.charge

        def holds(number: int) -> bool:
            found = judged.get(number)
            if found is None:
                charge(1)
                found = all(test(number) for test in tests) if first is None else first(number)
                judged[number] = found
            return found

        return holds

    def during(
        self, certainty: Callable[[int], str | None], condition: Condition | None
    ) -> Condition:
        """Return the condition that a node may be valid, and that it fits besides."""
        charge = self.charge

        def holds(number: int) -> bool:
            charge(1)
            return certainty(number) is not None and (condition is None or condition(number))

        return holds

    # --- one condition ------------------------------------------------------------------

    def _test(self, class_iri: str, name: str, below: Any) -> Condition:
        if name in ("and", "or"):
            every = name == "and"
            inner = [self.condition(class_iri, each) for each in listed(below)]
            return lambda number: (all if every else any)(test(number) for test in inner)
        if name == "not":
            holds = self.condition(class_iri, below)
            return lambda number: not holds(number)
        if name == "isNull":
            return lambda number: not below
        if name == "id":
            return self._identifier(below)
        if name == "label":
            return self._texts(label_field(class_iri), self.values.labels(), below)
        if name == "types":
            find, classes = self.snapshot.class_of, self.classes(listed(below))
            return lambda number: find(number, classes) is not None
        if name == "contested":
            return self._contested(class_iri, listed(below))
        if is_as_of(self.model, class_iri, name):
            return self.during(self.validity.certainty(class_iri, day_of(below)), None)
        return self._field(self.model.fields[class_iri][name], below)

    def _field(self, field: Field, below: Where) -> Condition:
        if field.kind is FieldKind.ENTITY:
            return self._list(field, below) if field.many else self._link(field, below)
        if field.kind is FieldKind.DATE:
            return self._date(field, below)
        if is_text(field):
            return self._texts(field, self.values.by_language(field), below)
        if field.many:
            return self._list(field, below)
        wanted, test = self.element(field, below)
        one = self.values.one(field)
        if wanted:
            return lambda number: one(number) == NIL
        return lambda number: (value := one(number)) != NIL and test(value)

    def _link(self, field: Field, below: Where) -> Condition:
        assert field.target is not None
        one, holds = self.values.one(field), self.condition(field.target, below)
        unknown = admits_unknown(below)
        return lambda number: holds(value) if (value := one(number)) != NIL else unknown

    def element(self, field: Field, below: Where) -> tuple[bool, Test]:
        """Return whether an unknown value is asked for, and the test of a known one."""
        asked = given(below, f"where.{field.name}")
        if not asked:
            raise BadValueError(f"where.{field.name}", "{}", "a condition such as {eq: ...}")
        tests = [
            self.operators.test(field, name, value)
            for name, value in asked.items()
            if name not in ("isNull", "lang")
        ]
        if asked.get("isNull"):
            return not tests, lambda value: False
        if len(tests) == 1:
            return False, tests[0]
        return False, lambda value: all(test(value) for test in tests)

    def _texts(self, field: Field, texts: Many, below: Where) -> Condition:
        """Return the condition on texts in several languages, each operator by itself."""
        self.element(field, below)  # refuses what cannot be asked
        find = self.in_languages(texts, below.get("lang"))
        tests = [
            (name in NEGATIVE, self.operators.test(field, name, value))
            for name, value in below.items()
            if name not in ("isNull", "lang")
        ]
        wanted = bool(below.get("isNull"))
        charge = self.charge

        def holds(number: int) -> bool:
            found = find(number)
            if not found or wanted:
                return wanted and not found and not tests
            if len(found) == 1:
                return all(test(found[0]) for _, test in tests)
            charge(len(found))
            return all((all if negative else any)(map(test, found)) for negative, test in tests)

        return holds

    def in_languages(self, texts: Callable[[Any], Any], ranges: Any) -> Callable[[Any], Any]:
        """Return the texts whose language is in one of the ranges, as RFC 4647 filters."""
        if ranges is None:
            return texts
        wanted = tuple(str(tag).lower() for tag in listed(ranges))
        families = tuple(f"{tag}-" for tag in wanted)
        languages = self.values.languages

        def fits(value: int) -> bool:
            tag = languages[value >> SHIFT]
            return tag in wanted or tag.startswith(families)

        return lambda number: [value for value in texts(number) if fits(value)]

    def _date(self, field: Field, below: Where) -> Condition:
        asked = given(below, f"where.{field.name}")
        if not asked:
            raise BadValueError(f"where.{field.name}", "{}", "a condition such as {latest: ...}")
        find = self.values.date(field)
        parts = [
            (PARTS[name], *self.element(part_field(field, name), inner))
            for name, inner in asked.items()
            if name != "isNull"
        ]
        wanted = asked.get("isNull")

        def holds(number: int) -> bool:
            found = find(number)
            if found is None or wanted:
                return bool(wanted) and found is None and not parts
            return all(
                test(found[at]) if found[at] != NIL else unknown for at, unknown, test in parts
            )

        return holds

    def _list(self, field: Field, below: Where) -> Condition:
        """Return the condition on a list; without any it asks that there be an element."""
        find, place = self.values.many(field), f"where.{field.name}"
        if field.kind is FieldKind.ENTITY:
            assert field.target is not None
            test = self.on_nodes(field.target, below, place)
        else:
            test = self._on_values(field, below, place)
        return lambda number: test(find(number))

    def on_nodes(
        self, class_iri: str, below: Where, place: str, make: MakeCondition | None = None
    ) -> ListTest:
        """Return the test of a list of nodes of a class: quantifiers and measures, all to hold.

        Conditions on the nodes are made by `make` if it is given.
        """
        make = partial(self.condition, class_iri) if make is None else make
        asked = dict(given(below, place))
        within = asked.pop("where", None)
        tests = [
            self._on_list(name, inner, place, make)
            if name in QUANTIFIERS or name == "count"
            else self._measured(class_iri, name, inner, f"{place}.{name}")
            for name, inner in (asked or {"some": {}}).items()
        ]
        if within is None:
            return all_of(tests)
        keep = make(within)
        inner_test = all_of(tests)
        return lambda values: inner_test([value for value in values if keep(value)])

    def _on_values(self, field: Field, below: Where, place: str) -> ListTest:
        asked = given(below, place) or {"some": {}}
        tests = []
        for name, inner in asked.items():
            test = self._on_list(name, inner, place, lambda each: self._value_test(field, each))
            find = self.in_languages(_same, inner.get("lang"))
            tests.append(test if find is _same else _after(find, test))
        return all_of(tests)

    def _value_test(self, field: Field, below: Where) -> Test:
        return self.element(field, below)[1] if below else bool

    def _on_list(
        self, name: str, below: Any, place: str, make: Callable[[Where], Test]
    ) -> ListTest:
        if name == "count":
            fits = number_test(below, f"{place}.count")
            return lambda values: fits(len(values))
        return quantify(name, make(below), self.charge)

    def _measured(self, class_iri: str, name: str, below: Where, place: str) -> ListTest:
        """Return the test of what a list is as a whole, such as a sum."""
        fields, tests = self.model.fields[class_iri], []
        if not given(below, place):
            raise BadValueError(place, "{}", "a condition on a field such as {totalCost: ...}")
        for key, inner in below.items():
            field, at = fields[key], f"{place}.{key}"
            measure = self.measures.measure(field, name)
            if name in SUMS:
                test = number_test(inner, at, partial(exact, place=at))
            else:
                test = self._extreme_test(field, inner, at)
            tests.append(_after(measure, test))
        return all_of(tests)

    def _extreme_test(self, field: Field, below: Where, place: str) -> Callable[[Any], bool]:
        key = extreme_key(field)
        datatype = f"{XSD}date" if field.kind is FieldKind.DATE else field.datatype
        fits = number_test(below, place, lambda value: key(lexical(value, datatype, place)))
        return lambda text: fits(None if text is None else key(text))

    def _identifier(self, below: Where) -> Condition:
        tests = self.identifiers(below)
        return lambda number: all((number in nodes) is wanted for nodes, wanted in tests)

    def identifiers(self, below: Where) -> list[tuple[set[int], bool]]:
        """Return among which nodes one has to be by a condition on its identifier, or must not."""
        find = self.snapshot.terms.find
        tests = []
        if not given(below, "where.id"):
            raise BadValueError("where.id", "{}", "a condition such as {eq: ...}")
        for name, value in below.items():
            nodes = (find(f"<{each}>") for each in listed(value) if is_iri(str(each)))
            tests.append(({node for node in nodes if node is not None}, name in ("eq", "in")))
        return tests

    def classes(self, names: Sequence[str]) -> frozenset[str]:
        """Return the IRIs of classes by their names, with all their subclasses."""
        found = (self.model.descendants[self.model.by_name[name].iri] for name in names)
        return frozenset(chain.from_iterable(found))

    def contestable(self, class_iri: str, names: Sequence[str]) -> list[Field]:
        """Return the fields that sources may differ about: those named, or all that are public."""
        fields = {field.name: field for field in public_fields(self.model, class_iri)}
        for name in names:
            if name not in fields:
                expected = f"names of fields of {self.model.classes[class_iri].name}"
                raise BadValueError("where.contested", str(name)[:40], expected)
        return [fields[name] for name in names or fields]

    def _contested(self, class_iri: str, names: Sequence[str]) -> Condition:
        tests = [self.values.is_contested(field) for field in self.contestable(class_iri, names)]

        def holds(number: int) -> bool:
            self.charge(len(tests))
            return any(test(number) for test in tests)

        return holds


def day_of(below: Any) -> str:
    """Return the day that a condition names.

    Raises
    ------
    BadValueError
        There is no such day in the calendar.
    """
    return lexical(below, f"{XSD}date", f"where.{AS_OF}")


def _same(values: Any) -> Any:
    return values


def _after(read: Callable[[Any], Any], test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda values: test(read(values))


def admits_unknown(where: Any) -> bool:
    """Tell whether a condition on a linked node also holds where none is known."""
    if not where:
        return False
    found = {
        "isNull": lambda below: below is True,
        "and": lambda below: all(map(admits_unknown, listed(below))),
        "or": lambda below: any(map(admits_unknown, listed(below))),
    }
    return all(name in found and found[name](below) for name, below in where.items())
