"""The GraphQL types that every schema has: pages, dates, claims, and what any node answers.

Floor 4, for the builder in `schema/types.py`.
"""

from __future__ import annotations

from typing import Final

from schema.making import Arguments, Maker
from schema.validity import CERTAIN, POSSIBLE

_OPTIONAL: Final = "Optional[str]"
LANGUAGES: Final[Arguments] = {
    "lang": ("Optional[List[str]]", "Languages in order of preference; then the request's.")
}


def make_records(maker: Maker) -> None:
    """Make the types that are no nodes."""
    maker.make(
        "PageInfo",
        {
            "hasNextPage": "bool",
            "hasPreviousPage": "bool",
            "startCursor": _OPTIONAL,
            "endCursor": _OPTIONAL,
        },
        "Where a page of a connection begins and ends.",
    )
    maker.make(
        "PartialDate",
        {"text": _OPTIONAL, "earliest": "Optional[Date]", "latest": "Optional[Date]"},
        "A date as a source gives it: its text (EDTF), the earliest and the latest day.",
    )
    maker.make(
        "Claim",
        {
            "field": "str",
            "property": "URI",
            "value": "str",
            "language": _OPTIONAL,
            "node": "Optional[Entity]",
            "source": "Source",
            "answers": "bool",
            "contested": "bool",
        },
        "One value of one field as one source states it. `answers` marks the value with which "
        "the field answers; `contested` that sources differ.",
    )
    maker.make(
        "Translation",
        {"field": "str", "language": "str", "text": "str"},
        "One text of one field in one language.",
    )
    maker.make(
        "Completeness",
        {"share": "float", "known": "List[str]", "missing": "List[str]"},
        "Which of the fields that the shapes expect are known; `share` is between 0 and 1.",
    )
    maker.enum(
        "Certainty",
        {name: name for name in (CERTAIN, POSSIBLE)},
        "Whether both bounds are known and hold the day, or a bound is not known well enough.",
    )


def make_entity(maker: Maker) -> None:
    """Make the interfaces of all nodes."""
    maker.make("Node", {"id": "ID"}, "Anything with an identifier.", interface=True)
    maker.make(
        "Entity",
        {
            "label": maker.field(_OPTIONAL, "Name for people, in the best language.", LANGUAGES),
            "types": maker.field("List[str]", "Names of the classes that sources give it."),
            "claims": maker.field(
                "List[Claim]",
                "Every value that a source states of it, those of lists too, with the source of "
                "each; what points to it, such as a membership, names its sources itself.",
                {
                    "fields": ("Optional[List[str]]", "Only these fields."),
                    "contested": ("Optional[bool]", "Only fields where sources differ."),
                },
            ),
            "translations": maker.field(
                "List[Translation]",
                "Its texts in every language, the reader's languages first.",
                {
                    "fields": ("Optional[List[str]]", "Only these fields."),
                    "lang": ("Optional[List[str]]", "Only these languages."),
                },
            ),
            "completeness": maker.field(
                "Completeness", "How much of what the shapes expect of it is known."
            ),
            "statedBy": maker.field(
                "List[Source]", "The sources that state something of it, best rank first."
            ),
        },
        "A node of the graph, with what the sources say of it.",
        ("Node",),
        interface=True,
    )
