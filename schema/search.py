"""The root field `search`: its types, its step in a plan, its arguments, its page of hits.

Floor 4. A search is a step like a connection: the nodes it finds go through the same selections,
counters and limits. The other files of this folder call what stands here; which texts fit is
decided in `graph/store/search.py`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import FieldNode

from graph.errors import BadValueError, CursorError, QueryTooLargeError
from graph.model import Model
from graph.settings import Settings
from graph.store.search import Hit, Place
from graph.store.search_text import Piece, SearchText, cut_pieces
from graph.terms import is_iri
from schema.plan import Part, Selection

if TYPE_CHECKING:
    from schema.run import Run

#: Entries of the index that cost as much as one node.
_ENTRIES_A_NODE = 100


class Asked(NamedTuple):
    """The bound arguments of a search; `digest` names what is asked, page and size apart."""

    search: SearchText
    classes: tuple[str, ...] | None
    languages: tuple[str, ...] | None
    first: int
    after: Place | None
    digest: str


# --- plan ---------------------------------------------------------------------------------------


def compile_parts(
    nodes: list[FieldNode],
    collect: Callable[[Iterable[FieldNode], str], Mapping[str, list[FieldNode]]],
    select: Callable[[Iterable[FieldNode], str], Selection],
) -> tuple[Part, ...]:
    """Return what is asked of a search.

    Parameters
    ----------
    nodes : list of FieldNode
        The field `search` wherever it stands under one response key.
    collect : callable
        Gives the fields below some nodes on an object type.
    select : callable
        Compiles the selection below some nodes on a type of nodes.
    """

    def names(found: list[FieldNode], kind: str) -> tuple[Part, ...]:
        return tuple(Part(k, _name(each[0], kind)) for k, each in collect(found, kind).items())

    def hit_part(key: str, found: list[FieldNode]) -> Part:
        name = _name(found[0], "SearchHit")
        if name == "node":
            return Part(key, name, select(found, "Entity"))
        return Part(key, name, parts=names(found, "TextPiece") if name == "highlights" else ())

    def part(key: str, found: list[FieldNode]) -> Part:
        name = _name(found[0], "SearchConnection")
        if name == "nodes":
            return Part(key, name, select(found, "Entity"))
        if name == "edges":
            hits = collect(found, "SearchHit").items()
            return Part(key, name, parts=tuple(hit_part(k, each) for k, each in hits))
        return Part(key, name, parts=names(found, "PageInfo") if name == "pageInfo" else ())

    return tuple(part(k, each) for k, each in collect(nodes, "SearchConnection").items())


def _name(node: FieldNode, kind: str) -> str:
    """Return a field's name; `__typename` becomes the type's name, marked by a colon."""
    return f":{kind}" if node.name.value == "__typename" else node.name.value


def write_page(parts: Sequence[Part], q: str) -> str:
    """Return the Python expression that makes the answer out of the page named `q`."""
    values = {"pageInfo": lambda part: _record(part.parts, f"{q}.info[{{!r}}]")}
    entries = []
    for part in parts:
        if part.selection is not None:
            value = f"[f{part.selection.number}(h.subject) for h in {q}.hits]"
        elif part.name == "edges":
            value = f"[{_write_hit(part.parts, q)} for h in {q}.hits]"
        else:
            value = values.get(part.name, lambda part: repr(part.name[1:]))(part)
        entries.append(f"{part.key!r}: {value}")
    return f"{{{', '.join(entries)}}}"


def _write_hit(parts: Sequence[Part], q: str) -> str:
    entries = []
    for part in parts:
        if part.selection is not None:
            value = f"f{part.selection.number}(h.subject)"
        elif part.name == "highlights":
            value = f"[{_record(part.parts, 'p._asdict()[{!r}]')} for p in {q}.pieces(h)]"
        else:
            value = repr(part.name[1:]) if part.name[0] == ":" else f"{q}.{part.name}(h)"
        entries.append(f"{part.key!r}: {value}")
    return f"{{{', '.join(entries)}}}"


def _record(parts: Sequence[Part], access: str) -> str:
    entries = (
        f"{p.key!r}: {repr(p.name[1:]) if p.name[0] == ':' else access.format(p.name)}"
        for p in parts
    )
    return f"{{{', '.join(entries)}}}"


# --- arguments ----------------------------------------------------------------------------------


def read_arguments(
    arguments: Mapping[str, Any], model: Model, settings: Settings, place: str
) -> Asked:
    """Return the arguments of a search, read and within their limits.

    Raises
    ------
    BadValueError
        The text has no letter or digit; the page size is below 0.
    CursorError
        The cursor is of another search, or of none.
    QueryTooLargeError
        The text, its words, the classes, the languages or the page are over their limit.
    """
    search = SearchText.read(
        arguments["text"], settings.search_letters, settings.search_words, f"{place}.text"
    )
    names = _listed(arguments.get("types"), settings, f"{place}.types")
    languages = _listed(arguments.get("lang"), settings, f"{place}.lang")
    classes = None if names is None else tuple(model.by_name[name].iri for name in names)
    first = arguments.get("first")
    first = settings.page_size if first is None else first
    if first < 0:
        raise BadValueError(f"{place}.first", str(first), "a number of at least 0")
    if first > settings.page_size_max:
        raise QueryTooLargeError("page_size_max", settings.page_size_max, first, place)
    digest = _digest(search, classes, languages)
    after = arguments.get("after")
    after = None if after is None else _read_cursor(after, digest, f"{place}.after")
    return Asked(search, classes, languages, first, after, digest)


def cost_of(run: Run) -> int:
    """Return what looking through the index costs, in nodes."""
    return len(run.snapshot.search) // _ENTRIES_A_NODE


def _listed(value: Any, settings: Settings, place: str) -> tuple[str, ...] | None:
    """Return a list argument, for which GraphQL also takes a single value."""
    if value is None:
        return None
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    if len(values) > settings.search_choices:
        raise QueryTooLargeError("search_choices", settings.search_choices, len(values), place)
    return values


def _digest(search: SearchText, *choices: Sequence[str] | None) -> str:
    asked = json.dumps([search.words, search.joined, *choices]).encode()
    return hashlib.blake2b(asked, digest_size=6).hexdigest()


def _read_cursor(cursor: str, digest: str, place: str) -> Place:
    try:
        text = base64.urlsafe_b64decode(cursor.encode()).decode()
        version, of, match, rank, letters, iri = text.split(":", 5)
        found = Place(int(match), int(rank), int(letters), f"<{iri}")
    except (binascii.Error, UnicodeError, ValueError):
        raise CursorError(place, cursor[:80]) from None
    if version != "s1" or of != digest or not is_iri(iri):
        raise CursorError(place, cursor[:80])
    return found


# --- hits ---------------------------------------------------------------------------------------


class Found:
    """One page of hits, with what can be asked of each: methods have the names of the fields."""

    def __init__(self, run: Run, asked: Asked) -> None:
        self.run = run
        self.asked = asked
        self.hits, more, before = _cut(run, asked)
        self.info = {
            "hasNextPage": more,
            "hasPreviousPage": before,
            "startCursor": self.cursor(self.hits[0]) if self.hits else None,
            "endCursor": self.cursor(self.hits[-1]) if self.hits else None,
        }

    def cursor(self, hit: Hit) -> str:
        """Return the cursor of a hit: its place in the order, and the search it is of."""
        place = hit.place
        iri = place.order.removeprefix("<")
        numbers = f"{place.match}:{place.rank}:{place.letters}"
        text = f"s1:{self.asked.digest}:{numbers}:{iri}"
        return base64.urlsafe_b64encode(text.encode()).decode()

    def score(self, hit: Hit) -> float:
        """Return how well a hit fits, above 0 and at most 1."""
        return round(hit.score, 4)

    def match(self, hit: Hit) -> str:
        """Return the name of the way in which a hit fits."""
        return hit.match.name

    def field(self, hit: Hit) -> str:
        """Return the name of the field whose text fits."""
        return hit.field.name

    def language(self, hit: Hit) -> str | None:
        """Return the language of the text, if it has one."""
        return self.run.snapshot.terms.languages[hit.literal >> 8] or None

    def text(self, hit: Hit) -> str:
        """Return the text, or of a long one the excerpt that its pieces show."""
        return "".join(piece.text for piece in self.pieces(hit))

    def pieces(self, hit: Hit) -> list[Piece]:
        """Return the text in pieces, matched or not."""
        return cut_pieces(self.asked.search, self.run.snapshot.terms.text(hit.literal), hit.match)


def _cut(run: Run, asked: Asked) -> tuple[list[Hit], bool, bool]:
    """Return the hits of a page, and whether there are more behind and before it.

    Pages end at a depth: whoever wants more searches for something narrower.
    """
    snapshot = run.snapshot
    found = snapshot.search.search(snapshot, asked.search, asked.classes, asked.languages)
    hits: list[Hit] = []
    before = False
    for _, hit in zip(range(run.settings.search_hits), found, strict=False):
        if asked.after is not None and hit.place <= asked.after:
            before = True
        elif len(hits) == asked.first:
            return hits, True, before
        else:
            hits.append(hit)
    return hits, False, before
