"""Writes how single values of a node are read: numbers, texts, dates, and what they become.

Floor 4, below `schema/generate.py`, which says what the names in the source mean.
"""

from __future__ import annotations

from typing import Final

from graph.model import FieldKind, Model
from graph.terms import XSD
from schema.chosen import ABSENT
from schema.plan import Date, Path, Scalar, Text

_CONVERSIONS: Final = {
    f"{XSD}integer": "integer({})",
    f"{XSD}gYear": "integer({})",
    f"{XSD}decimal": "float({})",
    f"{XSD}double": "float({})",
    f"{XSD}boolean": "({} == 'true')",
}


class ValueWriter:
    """Gives names to what source needs, and writes what reads values; `lines, expression` each."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.columns: dict[tuple[str, bool], str] = {}
        self.tables: dict[str, str] = {}
        self.bound: dict[str, str] = {}
        self.names = 0
        #: Names of the number of the node that is read, of its page, and of its place there.
        self.node = ("n", "h", "i")

    # --- names ----------------------------------------------------------------------------

    def _name(self, letter: str) -> str:
        self.names += 1
        return f"{letter}{self.names}"

    def _column(self, predicate: str, inverse: bool) -> str:
        return self.columns.setdefault((predicate, inverse), f"c{len(self.columns)}")

    def _table(self, text: str) -> str:
        return self.tables.setdefault(text, f"t{len(self.tables)}")

    def _bound(self, text: str) -> str:
        return self.bound.setdefault(text, f"a{len(self.bound)}")

    # --- single values ----------------------------------------------------------------------

    def _value(self, path: Path) -> tuple[list[str], str]:
        """Return lines that put the answering value of a single-valued field into a name."""
        c, v, p = self._column(path.predicate, path.inverse), self._name("v"), self._name("p")
        n, h, i = self.node
        if path.predicate in self.model.single_predicates:
            lines = [f"{p} = p{c}.get({h})", f"{v} = {p}[0][{i}] if {p} is not None else 0"]
        else:
            lines = [f"{v} = R.snapshot.answer({c}, {n})"]
        return lines, v

    def _scalar(self, step: Scalar) -> tuple[list[str], str]:
        if step.path.many:
            c = self._column(step.path.predicate, step.path.inverse)
            return [], f"[{self._convert(step, 'v')} for v in {c}.values({self.node[0]})]"
        lines, v = self._value(step.path)
        return lines, f"{self._convert(step, v)} if {v} else None"

    def _convert(self, step: Scalar, v: str) -> str:
        text = f"T[{v} >> 8][{v} & 255]"
        if step.kind is FieldKind.ENUM:
            table = self._table(f"S.enum_names({step.enum_name!r})")
            return f"{table}[{text}]"
        if step.kind is FieldKind.IRI:
            return f"X[{v} >> 8] + {text}"
        return _CONVERSIONS.get(step.datatype or "", "{}").format(text)

    def _text(self, step: Text) -> tuple[list[str], str]:
        n, h, i = self.node
        if "" not in step.paths:
            table = self._table(f"{dict(step.paths)!r}")
            return [], f"label({n}, {table}, A[{step.slot}])"
        path = step.paths[""]
        if not step.unique:
            return [], f"R.list_texts({self._column(path, False)}, {n}, A[{step.slot}])"
        s, v = self._name("s"), self._name("v")
        kept = self._bound(f"S.chosen({path!r}, A[{step.slot}])")
        return [
            f"{v} = {kept}[{h}][{i}]",
            f"if {v} > {ABSENT}: {s} = T[{v} >> 8][{v} & 255]",
            f"elif {v}: {s} = None",
            f"else: {s} = {kept}.choose({h}, {i})",
        ], s

    def _date(self, step: Date) -> tuple[list[str], str]:
        names = [self._column(step.parts[p], False) for p in ("text", "earliest", "latest")]
        table, d = self._table(f"({', '.join(names)})"), self._name("d")
        places = {"text": f"{d}[0]", "earliest": f"{d}[1]", "latest": f"{d}[2]"}
        entries = ", ".join(
            f"{key!r}: {places.get(name) or repr(name[1:])}" for key, name in step.record
        )
        lines, call = [], f"date({self.node[0]}, {table})"
        if self.model.single_predicates.issuperset(step.parts.values()):
            # Most nodes have no date; of the others, the source that answers the text answers.
            values = {p: self._value(Path(step.parts[p], False, False)) for p in step.parts}
            lines = [line for found, _ in values.values() for line in found]
            text = values["text"][1]
            call += f" if {' or '.join(v for _, v in values.values())} else None"
            if all(name == "text" or name.startswith(":") for _, name in step.record):
                call = f"(T[{text} >> 8][{text} & 255],) if {text} else {call}"
        return [*lines, f"{d} = {call}"], f"{{{entries}}} if {d} is not None else None"
