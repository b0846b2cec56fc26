"""The GraphQL types of `search`, for the builder in `schema/types.py`.

Floor 4. Classes are named by an enum, so that a misspelt one is refused with suggestions before
anything is searched.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any, Final

import strawberry

from graph.model import Model
from graph.store.search_text import Match

ARGUMENTS: Final = {
    "text": ("str", "What to find: words, in any case, with or without accents; the end of the "
             "text may be missing, and a letter or two may be wrong."),
    "types": ("Optional[List[ClassName]]", "Only nodes of these classes or their subclasses."),
    "lang": (
        "Optional[List[str]]",
        "Only texts in these languages, and those that have none, such as acronyms.",
    ),
}  # fmt: skip
TEXT: Final = (
    "Nodes with a name, acronym, former name or description that fits, each once, the best first: "
    "by match, then by what the text is to the node (name, acronym, other name, former name, "
    "description), then the shorter text, then identifier."
)
_MATCHES: Final = (
    "How a text fits, the best first: the whole text; the text begins with it; each word is a word "
    "of the text; each begins a word of the text; the same with one edit, with two, with more (a "
    "letter more, less, other, or two exchanged)."
)


def add_search_types(
    model: Model,
    names: dict[str, Any],
    module: str,
    make: Callable[[str, dict[str, Any], str], Any],
) -> None:
    """Add what a search answers to the name space of the schema."""
    _make_enum(
        names, module, "ClassName", searched_classes(model), "A class whose nodes can be searched."
    )
    _make_enum(names, module, "SearchMatch", {each.name: each.name for each in Match}, _MATCHES)
    make(
        "TextPiece",
        {"text": "str", "matched": "bool"},
        "A part of a text as it is (escape it as any text), and whether the search matched it.",
    )
    make(
        "SearchHit",
        {
            "cursor": "str",
            "node": "Entity",
            "score": "float",
            "match": "SearchMatch",
            "field": "str",
            "text": "str",
            "language": "Optional[str]",
            "highlights": "List[TextPiece]",
        },
        "A node that fits, with its best text: the field it is of, its language, its pieces. "
        "`score` is above 0 and at most 1, and goes down with the order. Of a long text there is "
        "an excerpt.",
    )
    make(
        "SearchConnection",
        {"edges": "List[SearchHit]", "nodes": "List[Entity]", "pageInfo": "PageInfo"},
        "A page of hits, the best first.",
    )


def _make_enum(
    names: dict[str, Any], module: str, name: str, values: Mapping[str, str], text: str
) -> None:
    made = enum.Enum(name, dict(values), module=module)  # type: ignore[misc]
    names[name] = strawberry.enum(made, name=name, description=text)


def searched_classes(model: Model) -> Mapping[str, str]:
    """Return the names of the public classes with a field that is searched, by themselves."""
    return {
        shape.name: shape.name
        for iri, shape in sorted(model.classes.items(), key=lambda item: item[1].name)
        if shape.exposure == "public"
        and any(
            field.search_role is not None and field.exposure == "public"
            for below in model.descendants[iri]
            for field in model.fields[below].values()
        )
    }
