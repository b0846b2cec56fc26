"""A change in the making: the quads that an input asks for, and where each of them was asked.

Floor 2. Values become terms here, each checked and normalised by itself, so that what is wrong
with one is told at its place in the input; what validation finds later is led back to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from graph.curation.edtf import EXAMPLES, read_edtf
from graph.curation.messages import DEFAULT_LANGUAGE, say
from graph.curation.normalise import normalise_term
from graph.errors import BadValueError, Violation
from graph.model import Field, FieldKind, Model
from graph.settings import Settings
from graph.terms import RDF_TYPE, XSD, Quad, is_iri, write_iri, write_literal

#: Where something stands in an input: argument, fields and indices, as texts.
Place = tuple[str, ...]

_TAG: Final = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
_NUMBERS: Final = frozenset({f"{XSD}decimal", f"{XSD}double"})
_WHOLE: Final = frozenset({f"{XSD}integer", f"{XSD}gYear"})
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Located:
    """A violation or warning with the place in the input that it is about; empty if of no place.

    `field` is the model's name of the field, where it is about one.
    """

    violation: Violation
    place: Place
    field: str | None = None


class ValueRefusedError(Exception):
    """A value cannot become a term; `below` is its place in the field's list."""

    def __init__(self, constraint: str, message: str) -> None:
        super().__init__(message)
        self.constraint = constraint
        self.message = message
        self.below: Place = ()


@dataclass
class Draft:
    """Quads of one graph to add and to remove, and what was wrong with the input.

    `graph` is N-Triples text. `classes` gives the class of each node that is created here.
    """

    graph: str
    settings: Settings
    language: str = DEFAULT_LANGUAGE
    added: dict[Quad, None] = field(default_factory=dict)
    removed: dict[Quad, None] = field(default_factory=dict)
    problems: list[Located] = field(default_factory=list)
    classes: dict[str, str] = field(default_factory=dict)
    _places: dict[tuple[str, ...], Place] = field(default_factory=dict)
    _added_of: dict[str, dict[Quad, None]] = field(default_factory=dict)
    _added_to: dict[str, dict[Quad, None]] = field(default_factory=dict)

    # --- what changes -----------------------------------------------------------------------

    def note(self, subject: str, place: Place) -> None:
        """Remember where a node stands in the input."""
        self._places.setdefault((subject,), place)

    def note_field(self, subject: str, field_: Field, place: Place) -> None:
        """Remember where a field of a node stands in the input."""
        for predicate in field_.predicates:
            self._places[subject, f"<{predicate}>"] = place

    def state(self, subject: str, predicate: str, term: str, place: Place) -> None:
        """Add a statement that is normalised already; predicates are IRIs without brackets."""
        quad = (subject, f"<{predicate}>", term, self.graph)
        self.removed.pop(quad, None)
        self.added[quad] = None
        self._added_of.setdefault(subject, {})[quad] = None
        self._added_to.setdefault(term, {})[quad] = None
        self._places[quad[:3]] = place
        self._places.setdefault(quad[:2], place)

    def withdraw(self, quads: Iterable[Quad]) -> None:
        """Remove statements of the graph."""
        for quad in list(quads):
            if quad in self.added:
                del self.added[quad]
                del self._added_of[quad[0]][quad]
                del self._added_to[quad[2]][quad]
            self.removed[quad] = None

    def added_of(self, subject: str) -> Iterable[Quad]:
        """Return what is added of a node."""
        return self._added_of.get(subject, ())

    def added_to(self, node: str) -> Iterable[Quad]:
        """Return what is added that refers to a node."""
        return self._added_to.get(node, ())

    # --- what is wrong ----------------------------------------------------------------------

    def refuse(
        self,
        place: Place,
        constraint: str,
        message: str,
        subject: str = "",
        field_: Field | None = None,
        value: object = None,
    ) -> None:
        """Note that an input cannot be taken."""
        path = None if field_ is None else f"<{field_.path}>"
        given = None if value is None else str(value)[:_SHOWN]
        graph = self.graph[1:-1]
        found = Violation(subject, path, given, constraint, "Violation", message, graph)
        self.problems.append(Located(found, place, None if field_ is None else field_.name))

    def say(self, key: str, **fields: object) -> str:
        """Return a message in the language of the request."""
        return say(key, self.language, **fields)

    def locate(self, violation: Violation, model: Model) -> Located:
        """Return a result of validation with the place in the input that it is about."""
        focus, path, value = violation.focus_node, violation.path or "", violation.value or ""
        inverse = path.startswith("^")
        predicate = path.removeprefix("^")
        keys: list[tuple[str, ...]] = [(focus, predicate, value)]
        if inverse:
            keys = [(value, predicate, focus)]
        keys += [(focus, predicate)] if path and not inverse else []
        name = self._field_name(focus, predicate[1:-1], model, inverse=inverse)
        for key in keys:
            if key in self._places:
                return Located(violation, self._places[key], name)
        if violation.constraint == "graph":
            return Located(violation, ("source", "id"), None)
        if (focus,) in self._places:
            place = self._places[(focus,)]
            return Located(violation, (*place, name) if name else place, name)
        if focus == self.graph:
            return Located(violation, ("source", "id"), name)
        return Located(violation, (), name)

    def _field_name(self, focus: str, predicate: str, model: Model, *, inverse: bool) -> str | None:
        class_iri = self.classes.get(focus[1:-1])
        if class_iri is None or not predicate:
            return None
        fields = model.fields[class_iri].values()
        found = (f.name for f in fields if f.inverse == inverse and predicate in f.predicates)
        return next(found, None)

    # --- values -----------------------------------------------------------------------------

    def terms(self, field_: Field, value: Any) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Yield predicate (IRI), term and place below the field, of each value of a field.

        Raises
        ------
        ValueRefusedError
            A value is not of the field's kind; the places before it were yielded.
        """
        if field_.kind is FieldKind.DATE:
            yield from self._date(field_, value)
            return
        if field_.kind is FieldKind.TEXT:
            for index, item in enumerate(self._list(value)):
                with _below(str(index)):
                    term = self._text(item)
                yield field_.path, term, (str(index), "text")
            return
        if not field_.many:
            if isinstance(value, list):
                raise ValueRefusedError("maxCount", self.say("oneValue"))
            yield field_.path, self._term(field_, value), ()
            return
        for index, item in enumerate(self._list(value)):
            with _below(str(index)):
                term = self._term(field_, item)
            yield field_.path, term, (str(index),)

    def _text(self, item: Any) -> str:
        """Return a text in a language as a term."""
        tag = self._expect(item["lang"], str)
        if not _TAG.fullmatch(tag):
            with _below("lang"):
                raise ValueRefusedError("datatype", self.say("languageTag", tag=tag[:40]))
        with _below("text"):
            return self._literal(self._said(item["text"]), None, tag)

    def _term(self, field_: Field, value: Any) -> str:
        if field_.kind in (FieldKind.ENTITY, FieldKind.IRI):
            return self.iri(value)
        if field_.kind is FieldKind.ENUM:
            return self._literal(self._expect(value, str))
        datatype = field_.datatype or f"{XSD}string"
        return self._literal(self._lexical(datatype, value), datatype)

    def iri(self, value: Any) -> str:
        """Return an IRI as a term.

        Raises
        ------
        ValueRefusedError
            It is none.
        """
        text = self._expect(value, str)
        if not is_iri(text):
            raise ValueRefusedError("nodeKind", self.say("relativeIri"))
        return self._normalised(write_iri(text), "nodeKind")

    def _date(self, field_: Field, value: Any) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        text = self._expect(value, str)
        try:
            bounds = read_edtf(text)
        except ValueError:
            raise ValueRefusedError("pattern", self.say("edtf", examples=EXAMPLES)) from None
        yield field_.parts["text"], self._literal(text), ()
        for part, day in (("earliest", bounds.earliest), ("latest", bounds.latest)):
            if day is not None:
                yield field_.parts[part], self._literal(day, f"{XSD}date"), ()

    def _lexical(self, datatype: str, value: Any) -> str:
        """Return a JSON value as the lexical form of a datatype."""
        if datatype == f"{XSD}boolean":
            return "true" if self._expect(value, bool) else "false"
        if datatype in _WHOLE:
            number = self._expect(value, int)
            return f"{number:04d}" if datatype == f"{XSD}gYear" else str(number)
        if datatype in _NUMBERS:
            number = self._expect(value, float)
            return format(Decimal(repr(number)), "f")
        return self._said(value)

    def _said(self, value: Any) -> str:
        """Return a text that is one."""
        text: str = self._expect(value, str)
        if not text.strip():
            raise ValueRefusedError("minLength", self.say("emptyText"))
        return text

    def _expect(self, value: Any, kind: type) -> Any:
        """Return a value of a kind; whole numbers are numbers, and truth is none."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = is_number if kind is float else isinstance(value, kind)
        if not fits or (kind is int and isinstance(value, bool)):
            names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
            given = "null" if value is None else type(value).__name__
            message = self.say("kindOfValue", given=given, expected=names[kind])
            raise ValueRefusedError("datatype", message)
        return value

    def _list(self, value: Any) -> list[Any]:
        return value if isinstance(value, list) else [value]

    def _literal(self, text: str, datatype: str | None = None, tag: str | None = None) -> str:
        try:
            term = write_literal(text, datatype, tag)
        except BadValueError:
            raise ValueRefusedError("pattern", self.say("surrogate")) from None
        return self._normalised(term, "datatype")

    def _normalised(self, term: str, constraint: str) -> str:
        try:
            return normalise_term(term, self.settings, self.language)
        except BadValueError as error:
            raise ValueRefusedError(constraint, error.expected) from None


@contextmanager
def _below(name: str) -> Iterator[None]:
    """Put a name before the place of a value that is refused inside."""
    try:
        yield
    except ValueRefusedError as refused:
        refused.below = (name, *refused.below)
        raise


def is_type(quad: Quad) -> bool:
    """Tell whether a quad gives a node a class."""
    return quad[1] == RDF_TYPE
