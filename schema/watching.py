"""What a subscription watches, and which entities of it differ between two versions.

Floor 4. An entity is told of when it comes into what is watched, goes out of it, or stays and
answers otherwise: all by the values that a reader of each version gets, so that a commit that
changes no answer is none.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graph.model import Field, FieldKind, Model
from graph.store.columns import EMPTY, Column
from graph.store.difference import Difference, Direction
from graph.store.snapshot import TYPE
from graph.store.term_table import NIL
from schema.candidates import entries
from schema.notice_types import NoticeKind
from schema.operators import listed
from schema.quantifiers import QUANTIFIERS
from schema.run import Run
from schema.values import Values

#: The field that names the classes of an entity.
TYPES: Final = "types"
#: How a field answers that is not known.
_NOTHING: Final[tuple[Hashable, ...]] = (NIL, None, frozenset())
#: Makes what can be compared of how one field answers.
Answering = Callable[[int], Hashable]


@dataclass(frozen=True, slots=True)
class Watch:
    """What is asked for: entities of these classes (of any when empty), and what narrows them.

    With `where` there is one class, to which it belongs.
    """

    classes: tuple[str, ...]
    where: Mapping[str, Any] | None = None
    ids: tuple[str, ...] | None = None
    kinds: frozenset[str] | None = None
    fields: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Met:
    """An entity that is told of: its number, what became of it, the fields that differ."""

    number: int
    kind: NoticeKind
    fields: tuple[str, ...]


class Sight:
    """What one version shows of what is watched."""

    def __init__(self, run: Run, watch: Watch) -> None:
        self.run = run
        self.snapshot = run.snapshot
        self.model: Model = run.model
        descendants = self.model.descendants
        self.classes = frozenset(c for iri in watch.classes for c in descendants[iri]) or None
        self.answers = _Answers(run.values)
        self.condition = None
        if watch.where is not None:
            self.condition = run.filters.condition(watch.classes[0], watch.where)

    def exists(self, number: int) -> bool:
        """Tell whether a node is an entity at all."""
        return self.snapshot.class_of(number) is not None

    def class_of(self, number: int) -> str | None:
        """Return the class of a node as the subscription sees it; None if it is of none."""
        return self.snapshot.class_of(number, self.classes)

    def fits(self, number: int) -> bool:
        """Tell whether a node is among what is watched."""
        if self.class_of(number) is None:
            return False
        return self.condition is None or self.condition(number)


class Comparison:
    """Two versions, compared for one watch."""

    def __init__(self, difference: Difference, before: Run, after: Run, watch: Watch) -> None:
        self.difference = difference
        self.watch = watch
        self.before = Sight(before, watch)
        self.after = Sight(after, watch)
        self.charge = after.examine

    def candidates(self) -> Sequence[int]:
        """Return the nodes that may have to be told of, in the order of their IRIs."""
        watch, difference = self.watch, self.difference
        found: set[int] = set()
        for class_iri in watch.classes or (None,):
            found.update(difference.of_class(class_iri))
        if watch.where is not None:
            found |= self._reached(watch.classes[0], watch.where)
        if watch.ids is not None:
            find = self.after.snapshot.terms.find
            found &= {number for iri in watch.ids if (number := find(f"<{iri}>")) is not None}
        return sorted(found, key=self.after.snapshot.terms.order)

    def meet(self, number: int) -> Met | None:
        """Return what is to be told of a node, or None."""
        kind = self._kind(number)
        if kind is None:
            return None
        fields = self._fields(number)
        wanted = self.watch
        if kind is NoticeKind.UPDATED and not (
            fields and (wanted.fields is None or wanted.fields.intersection(fields))
        ):
            return None
        if wanted.kinds is not None and kind not in wanted.kinds:
            return None
        return Met(number, kind, fields)

    def _kind(self, number: int) -> NoticeKind | None:
        fitted, fits = self.before.fits(number), self.after.fits(number)
        if fits:
            if fitted:
                return NoticeKind.UPDATED
            return NoticeKind.ENTERED if self.before.exists(number) else NoticeKind.CREATED
        if fitted:
            return NoticeKind.LEFT if self.after.exists(number) else NoticeKind.DELETED
        return None

    # --- which fields differ ----------------------------------------------------------------

    def _fields(self, number: int) -> tuple[str, ...]:
        """Return the names of the fields that answer otherwise."""
        was, is_ = (sight.class_of(number) is not None for sight in (self.before, self.after))
        if was and is_:
            return self._differing(number)
        sight = self.after if is_ else self.before
        known = [
            field.name
            for field in self._fields_of(number)
            if sight.answers.of(field)(number) not in _NOTHING
        ]
        return tuple(sorted([*known, TYPES]))

    def _differing(self, number: int) -> tuple[str, ...]:
        """Return the fields that differ of a node that both versions show."""
        touched = self.difference.nodes.get(number)
        if touched is None:
            return ()
        before, after = self.before, self.after
        found = [
            field.name
            for field in self._fields_of(number)
            if touched & _directions(field)
            and before.answers.of(field)(number) != after.answers.of(field)(number)
        ]
        if (TYPE, False) in touched and before.run.types(number) != after.run.types(number):
            found.append(TYPES)
        return tuple(sorted(found))

    def _fields_of(self, number: int) -> Iterator[Field]:
        """Yield the public fields of the node's class, or of both classes where it changed."""
        seen: set[str] = set()
        for class_iri in (self.after.class_of(number), self.before.class_of(number)):
            for field in self.after.model.fields.get(class_iri or "", {}).values():
                if field.exposure == "public" and field.name not in seen:
                    seen.add(field.name)
                    yield field

    # --- what a condition on linked nodes depends on -------------------------------------------

    def _reached(self, class_iri: str, where: Mapping[str, Any]) -> set[int]:
        """Return the nodes of a class whose condition looks at a node that differs."""
        found: set[int] = set()
        for name, below in where.items():
            if name in ("and", "or"):
                for each in listed(below):
                    found |= self._reached(class_iri, each)
            elif name == "not":
                found |= self._reached(class_iri, below)
            else:
                field = self.after.model.fields[class_iri].get(name)
                if field is not None and field.target is not None and isinstance(below, Mapping):
                    found |= self._holders(field, self._below(field, below))
        return found

    def _below(self, field: Field, below: Mapping[str, Any]) -> set[int]:
        """Return the nodes at the far end of a field that differ, or depend on what differs."""
        assert field.target is not None
        found = set(self.difference.of_class(field.target))
        inner = [below]
        if field.many:
            inner = [below[name] for name in (*QUANTIFIERS, "where") if below.get(name)]
        for each in inner:
            found |= self._reached(field.target, each)
        return found

    def _holders(self, field: Field, nodes: set[int]) -> set[int]:
        """Return the nodes that have, or had, one of these in a field."""
        found: set[int] = set()
        for sight in (self.before, self.after):
            snapshot = sight.snapshot
            back: Mapping[str, Column] = snapshot.forward if field.inverse else snapshot.inverse
            column = back.get(field.path, EMPTY)
            for node in nodes:
                held = list(entries(column, node))
                self.charge(1 + len(held))
                found.update(held)
        return found


class _Answers:
    """How the fields of one version answer, as what can be compared."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._known: dict[tuple[str, str], Answering] = {}

    def of(self, field: Field) -> Answering:
        """Return what gives the answer of a field."""
        key = field.owner, field.name
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._make(field)
        return known

    def _make(self, field: Field) -> Answering:
        values = self._values
        if field.kind is FieldKind.DATE:
            return values.date(field)
        if field.kind is FieldKind.TEXT and field.unique_language:
            return _distinct(values.by_language(field))
        return _distinct(values.many(field)) if field.many else values.one(field)


def _distinct(find: Callable[[int], Sequence[int]]) -> Answering:
    return lambda number: frozenset(find(number))


def _directions(field: Field) -> frozenset[Direction]:
    return frozenset((path, field.inverse) for path in field.predicates)
