"""What things are called on pages: their label, or what makes a name for what has none.

Floor 5. A name is in the reader's language where there is one in it, and links to the page of the
thing. Numbers and values of closed lists are written as the language does.
"""

from __future__ import annotations

from typing import Final

from graph.model import Field, FieldKind, Labels
from graph.store.snapshot import Snapshot
from graph.store.term_table import NIL, SHIFT
from graph.terms import ENTITY, RZ, XSD
from schema.languages import LanguageOrder
from schema.naming import public_fields
from schema.values import Values
from web.entity import Text, page_of, short_name
from web.texts import write_number
from web.texts_values import value_word

STATUS: Final = f"{RZ}status"
EVIDENCE: Final = f"{RZ}evidence"
FIGURE: Final = f"{RZ}Figure"
NUMBERS: Final = (f"{XSD}integer", f"{XSD}decimal")
WEB: Final = ("https://", "http://")
_EVIDENCE_CLASS: Final = f"{RZ}Evidence"
#: Fields that make a name for what has none.
_NAMING: Final = 3


class EntityNames:
    """Names the things of a snapshot for readers of some languages, the first preferred."""

    def __init__(self, snapshot: Snapshot, languages: tuple[str, ...]) -> None:
        self.snapshot = snapshot
        self.model = snapshot.model
        self.language = languages[0]
        self.order = LanguageOrder(languages)
        self.values = Values(snapshot)
        self._label = self.values.best_label(self.order)

    def say(self, labels: Labels) -> str:
        """Return a label in the page's language."""
        return labels.get(self.language) or labels.get("en") or next(iter(labels.values()), "")

    def name(self, number: int, *, linked: bool = False) -> Text:
        """Return the name of a node for people: its label, else what it ties, else its IRI."""
        iri = self.snapshot.terms.text(number)
        href, is_outside = ("", False) if not linked else self._link(number, iri)
        label = self._label(number)
        if label != NIL:
            tag = self.snapshot.terms.languages[label >> SHIFT]
            tag = "" if tag == self.language else tag
            return Text(self.values.text(label), tag, href, is_outside)
        return Text(self._made_name(number) or short_name(iri), "", href, is_outside)

    def forward(self, class_iri: str) -> list[Field]:
        """Return the fields that a class states itself, in their order."""
        fields = [f for f in public_fields(self.model, class_iri) if not f.inverse]
        return sorted(fields, key=lambda each: (each.order, each.name))

    def naming_fields(self, class_iri: str) -> list[Field]:
        """Return the fields that name what has no name: the first, of evidence what it quotes."""
        fields = [f for f in self.forward(class_iri) if f.path not in (STATUS, EVIDENCE)]
        if class_iri == _EVIDENCE_CLASS:
            return [f for f in fields if f.name in ("quote", "locator")]
        return fields[:_NAMING]

    def one(self, path: str, node: int) -> int:
        """Return the value of a predicate that answers, or NIL."""
        column = self.snapshot.forward.get(path)
        return NIL if column is None else self.snapshot.answer(column, node)

    def number(self, text: str) -> str:
        """Return a number with its thousands grouped as the language does."""
        whole, point, rest = text.partition(".")
        sign = "-" if whole.startswith("-") else ""
        digits = whole.removeprefix(sign)
        if not digits.isascii() or not digits.isdigit():
            return text
        comma = "," if self.language == "fr" else point
        return sign + write_number(int(digits), self.language) + (comma + rest if rest else "")

    def _made_name(self, number: int) -> str:
        """Return a name for what has none: what it ties, or its first values; empty for none."""
        class_iri = self.snapshot.class_of(number)
        if class_iri is None:
            return ""
        shape = self.model.classes[class_iri]
        kind = self.say(shape.labels)
        kind = kind[:1].upper() + kind[1:]
        if shape.relation:
            paths = [self.one(path, number) for path in shape.identity]
            labels = [self._label(value) for value in paths if value != NIL]
            named = " – ".join(self.values.text(label) for label in labels if label != NIL)
            return f"{kind}: {named}" if named else kind
        values = [self._naming_value(number, each) for each in self.naming_fields(class_iri)]
        found = [value for value in values if value]
        if class_iri == _EVIDENCE_CLASS:
            return found[0] if found else kind
        if class_iri == FIGURE and len(found) > 1:
            return f"{found[0]}: {' '.join(found[1:])}"
        return ", ".join(found) or kind

    def _naming_value(self, number: int, each: Field) -> str:
        value = self.one(each.path, number)
        if value == NIL:
            return ""
        if each.kind is FieldKind.ENTITY:
            label = self._label(value)
            return "" if label == NIL else self.values.text(label)
        text = self.snapshot.terms.text(value)
        if each.datatype in NUMBERS:
            return self.number(text)
        return value_word(text, self.language) if each.kind is FieldKind.ENUM else text

    def _link(self, number: int, iri: str) -> tuple[str, bool]:
        """Return where a node leads: its page where something is stated of it, else its IRI."""
        if self.snapshot.class_of(number) is not None or iri.startswith(ENTITY):
            return page_of(iri), False
        is_web = iri.startswith(WEB)
        return (iri, True) if is_web else ("", False)
