"""What the page of an entity shows, as plain records, and the addresses of pages and data.

Floor 5. `web/entity_reader.py` reads them off a snapshot, a template lays them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import quote

from graph.terms import ENTITY

#: Characters that an IRI's path keeps as they are in an address.
_SAFE: Final = "/:@!$&'()*+,;=~-._%"

#: The groups of fields with their titles (`web/texts.py`), in the order in which a page has them.
GROUPS: Final = {
    "names": "entity.names",
    "facts": "entity.facts",
    "ties": "entity.ties",
    "figures": "entity.figures",
    "grounds": "entity.grounds",
    "others": "entity.others",
}


class SourceMark(NamedTuple):
    """A source as it is marked beside a value: its number on this page, and its name."""

    number: int
    title: str


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text, in a language if it is known, with a link if it leads somewhere."""

    text: str
    language: str = ""
    href: str = ""
    is_outside: bool = False


@dataclass(frozen=True, slots=True)
class Detail:
    """What is told of a tie beside whom it ties: a field with its values, evidence folded away."""

    label: str
    texts: tuple[Text, ...]
    is_folded: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """One value of a field. `answers` is false for what a source of lower rank says otherwise."""

    texts: tuple[Text, ...]
    marks: tuple[SourceMark, ...]
    answers: bool = True
    note: str = ""
    details: tuple[Detail, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """One field: `total` values, of which those from `first` (counted from 1) are `shown`."""

    key: str
    label: str
    description: str
    predicate: str
    shown: tuple[Shown, ...]
    total: int
    first: int
    differs: bool


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """A source in the list at the end of the page."""

    number: int
    title: str
    href: str
    publisher: str
    url: str
    retrieved: str


@dataclass(frozen=True, slots=True)
class EntityView:
    """All that the page shows of one entity.

    `missing` names what the shapes expect and no source states, of `expected` fields in all;
    `statements` is how many a source makes, 0 for what is none.
    """

    iri: str
    title: Text
    class_label: str
    class_name: str
    description: Text | None
    groups: Mapping[str, Sequence[Facts]]
    differing: Sequence[Facts]
    missing: Sequence[str]
    expected: int
    sources: Sequence[SourceEntry]
    statements: int


def page_of(iri: str) -> str:
    """Return the path of the page of a thing.

    Examples
    --------
    >>> page_of("https://w3id.org/rhizome/id/organisation/cta")
    '/page/organisation/cta'
    """
    if iri.startswith(ENTITY):
        return f"/page/{quote(iri.removeprefix(ENTITY), _SAFE)}"
    return f"/page?iri={quote(iri, '')}"


def data_of(iri: str, suffix: str) -> str:
    """Return the path of the data of a thing in the format of a suffix (with its dot)."""
    if iri.startswith(ENTITY):
        return f"/data/{quote(iri.removeprefix(ENTITY), _SAFE)}{suffix}"
    return f"/data?iri={quote(iri, '')}&format={suffix[1:]}"


def short_name(iri: str) -> str:
    """Return the last part of an IRI."""
    return iri[max(iri.rfind("#"), iri.rfind("/")) + 1 :] or iri
