"""The oracle of search: every text of every node looked at, by the definition and nothing else.

It shares the model and the quads with the service, but no folding, no distance and no index.
"""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from graph.model import Field, Model, SearchRole
from graph.store.build import system_quads
from graph.store.search_text import Match, SearchText, cut_pieces
from graph.store.snapshot import TYPE
from graph.terms import Quad, read_literal

MATCHES = ("EXACT", "PREFIX", "WORDS", "BEGINNINGS", "ONE_TYPO", "TWO_TYPOS", "MORE_TYPOS")
LETTERS = {"ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "ŧ": "t", "ŋ": "n"}
LETTERS |= {"œ": "oe", "æ": "ae", "þ": "th", "ĸ": "k", "ƒ": "f", "ə": "e"}
ROLES = list(SearchRole)


class Found(NamedTuple):
    """A hit as the scan sees it."""

    iri: str
    role: SearchRole
    match: str
    field: str
    text: str
    language: str | None


def joined(text: str) -> str:
    """Return all words of a text together."""
    return "".join(words_of(text))


def words_of(text: str) -> list[str]:
    """Return the folded words of a text whose marks are all accents."""
    words = [""]
    text = unicodedata.normalize("NFKD", text)
    for letter in unicodedata.normalize("NFKD", text.casefold()):
        if letter.isalnum():
            words[-1] += LETTERS.get(letter, letter)
        elif unicodedata.category(letter) not in ("Mn", "Mc", "Cf"):
            words.append("")
    return [word[:64] for word in words if word]


@lru_cache(maxsize=1_000_000)
def distance(one: str, other: str) -> int:
    """Return the fewest edits from a word to a beginning of another, from the recurrence.

    Source: optimal string alignment.
    """
    table = {(i, 0): i for i in range(len(one) + 1)} | {(0, j): j for j in range(len(other) + 1)}
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            a, b = one[i - 1], other[j - 1]
            ways = [table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a != b)]
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                ways.append(table[i - 2, j - 2] + 1)
            table[i, j] = min(ways)
    return min(table[len(one), j] for j in range(len(other) + 1))


def edits(wanted: str, words: Iterable[str], is_alone: bool) -> int | None:
    """Return how far a word of the query is from the nearest beginning of a word."""
    allowed = 0 if len(wanted) < (4 if is_alone else 3) or any(c.isdigit() for c in wanted) else 1
    allowed += allowed and len(wanted) >= 8
    if any(word.startswith(wanted) for word in words):
        return 0
    if not allowed:
        return None
    fewest = min((distance(wanted, word) for word in words), default=99)
    return fewest if fewest <= allowed else None


def judge(query: str, text: str, role: SearchRole) -> str | None:
    """Return how a text fits a query."""
    asked, words = words_of(query), words_of(text)
    if not words:
        return None
    if role is not SearchRole.DESCRIPTION and len("".join(words)) <= 1024:
        if "".join(words) == "".join(asked):
            return "EXACT"
        if "".join(words).startswith("".join(asked)):
            return "PREFIX"
    if all(word in words for word in asked):
        return "WORDS"
    distinct = list(dict.fromkeys(asked))
    each = [edits(word, set(words), len(distinct) == 1) for word in distinct]
    total = sum(e for e in each if e is not None)
    return None if None in each else MATCHES[3 + min(total, 3)]


def scan(
    model: Model,
    quads: Iterable[Quad],
    query: str,
    classes: Sequence[str] | None = None,
    languages: Sequence[str] | None = None,
) -> list[Found]:
    """Return the hits in a dataset, the best first."""
    held = {quad[:3] for quad in [*quads, *system_quads(model)]}
    types: dict[str, set[str]] = {}
    for subject, predicate, value in held:
        if predicate == f"<{TYPE}>":
            types.setdefault(subject, set()).add(value[1:-1])
    searched = list(model.searched)
    best: dict[str, tuple[tuple[object, ...], Found]] = {}
    for subject, predicate, value in held:
        role = model.searched.get(predicate[1:-1])
        if role is None:
            continue
        field = _field(model, types.get(subject, set()), predicate[1:-1])
        if field is None or not _is_wanted(model, types[subject], classes):
            continue
        text, _, tag = read_literal(value)
        if languages is not None and tag and not _speaks(tag, languages):
            continue
        match = judge(query, text, role)
        if match is None:
            continue
        letters = len(joined(text))
        order = (ROLES.index(role), letters, subject.removesuffix(">"), tag or "", text)
        key = (MATCHES.index(match), *order, searched.index(predicate[1:-1]))
        if subject not in best or key < best[subject][0]:
            best[subject] = key, Found(subject[1:-1], role, match, field.name, text, tag)
    return [found for _, found in sorted(best.values(), key=lambda each: each[0])]


def _field(model: Model, types: set[str], path: str) -> Field | None:
    named = model.most_specific(types)
    fields = model.fields[named].values() if named else ()
    return next((f for f in fields if f.path == path and f.search_role), None)


def _is_wanted(model: Model, types: set[str], classes: Sequence[str] | None) -> bool:
    return classes is None or any(model.is_a(t, c) for t in types for c in classes)


def _speaks(tag: str, languages: Sequence[str]) -> bool:
    return any(tag == each.lower() or tag.startswith(f"{each.lower()}-") for each in languages)


# --- what the API makes of a hit ------------------------------------------------------------------


def score_of(found: Found, query: str) -> float:
    """Return the score: matches first, then roles, then the share of the text that is asked."""
    step = MATCHES.index(found.match) * len(ROLES) + ROLES.index(found.role)
    share = min(1.0, len(joined(query)) / len(joined(found.text)))
    return 1 - (step + 1 - share) / (len(MATCHES) * len(ROLES))


def cursor_of(found: Found, digest: str) -> str:
    """Return the cursor of a hit in the search that a digest stands for."""
    place = MATCHES.index(found.match), ROLES.index(found.role), len(joined(found.text))
    text = ":".join(("s1", digest, *map(str, place), found.iri))
    return base64.urlsafe_b64encode(text.encode()).decode()


def pieces_of(query: str, found: Found) -> dict[str, Any]:
    """Return text and highlights; how a text is cut has tests of its own."""
    search = SearchText.read(query, 10_000, 1_000)
    pieces = cut_pieces(search, found.text, Match[found.match])
    return {
        "text": "".join(piece.text for piece in pieces),
        "highlights": [piece._asdict() for piece in pieces],
    }
