"""The words of generated data: names that no real organisation bears, dates, quotes, concepts.

Names are made of syllables; concepts are those of our schemes, which generated data must use to
be valid.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from typing import Final

from bench.draws import Draws
from graph.terms import ENTITY, XSD

LANGUAGES: Final = ("en", "fr", "nl", "es", "pl", "it")
SOURCE_KINDS: Final = ("webPage", "newsArticle", "document", "dataset")
SUFFIXES: Final = ("", "", " Group", " Association", " Cluster")
ROLES: Final = ("member", "founder", "associated-member", "partner", "board-member")

_AUTHORITY: Final = "http://publications.europa.eu/resource/authority/country/"
_CODES: Final = (
    *("AUT", "BEL", "BGR", "CZE", "DEU", "DNK", "ESP", "FIN", "FRA", "GRC", "HUN"),
    *("IRL", "ITA", "LTU", "NLD", "POL", "PRT", "ROU", "SWE"),
)
COUNTRIES: Final = tuple(f"<{_AUTHORITY}{code}>" for code in _CODES)


def _concepts(scheme: str, names: str) -> tuple[str, ...]:
    return tuple(f"<{ENTITY}concept/{scheme}--{name}>" for name in names.split())


SECTORS: Final = _concepts(
    "sector",
    "cereals cider fruit-and-vegetables medicinal-plants mushrooms ornamental-horticulture seeds "
    "winegrowing",
)
OBJECTIVES: Final = _concepts(
    "objective",
    "academic-exchanges best-practice-exchange consortium-building joint-projects "
    "knowledge-exchange market-access reciprocal-visits visibility",
)
TOPICS: Final = _concepts(
    "topic",
    "agroecology bioeconomy climate-change digitalisation food-safety soil-health "
    "urban-agriculture varietal-innovation water-management pesticide-reduction",
)
CATEGORIES: Final = _concepts(
    "member-category", "companies higher-education public-bodies research-centres smes"
)

_ONSETS: Final = ("b", "c", "d", "f", "g", "l", "m", "n", "p", "r", "s", "t", "v", "br", "cl", "fl")
_VOWELS: Final = ("a", "e", "i", "o", "u", "ia", "eo", "au")
_CODAS: Final = ("l", "n", "r", "s", "x", "ra", "ne", "lis")
_KINDS: Final = ("Plant", "Seeds", "Agro", "Horti", "Green", "Crop", "Field", "Garden")
_TURNED: Final = {
    "fr": "{1} {0}",
    "nl": "{0}-{1}",
    "es": "{1} de {0}",
    "pl": "{0} {1} SA",
    "it": "{1} di {0}",
}
_SUBJECTS: Final = (
    "varieties that need less water",
    "shared trials in open fields",
    "shorter chains from field to plate",
    "young firms and their growers",
    "skills for greenhouse work",
    "plants as raw material",
    "seed health across borders",
    "data of farms in one place",
)
_DEEDS: Final = (
    "The partners agreed to work on",
    "According to the minutes the meeting chose",
    "The programme supports",
    "The press release names as its aim",
    "Each member brings its own experience to",
)


def word(number: int) -> str:
    """Return an invented word, of three syllables at most; words repeat after 4,096."""
    onset, rest = _ONSETS[number % 16], number // 16
    return (onset + _VOWELS[rest % 8] + _ONSETS[rest // 8 % 13] + _CODAS[rest // 104 % 8]).title()


def name(number: int, language: str = "en") -> str:
    """Return the name of an organisation in a language."""
    pattern = _TURNED.get(language, "{0} {1}")
    return pattern.format(word(number * 37), _KINDS[number % 8]) + f" {number}"


def acronym(number: int) -> str:
    """Return the acronym of an organisation."""
    return f"{word(number * 37)[:3].upper()}{number}"


def slug(number: int) -> str:
    """Return the part of an IRI that a name gives."""
    return f"{word(number * 37)}-{_KINDS[number % 8]}".lower()


def title(draws: Draws) -> str:
    """Return a title, shorter than 64 bytes."""
    return f"{word(draws.below(4096))}: {draws.pick(_SUBJECTS)}"


def quote(draws: Draws) -> str:
    """Return a sentence of at most 200 characters; two in three are over 64 bytes."""
    if draws.is_within(33):
        return f"{word(draws.below(4096))} joined in {draws.between(2005, 2026)}."
    parts = f"{draws.pick(_DEEDS)} {draws.pick(_SUBJECTS)} and {draws.pick(_SUBJECTS)}"
    return f"« {parts}, said {word(draws.below(4096))} {draws.between(2005, 2026)}. »"


def date(draws: Draws) -> Iterator[tuple[str, str]]:
    """Yield the three parts of a partial date as suffix of the predicate and literal."""
    year, month, day = draws.between(1990, 2026), draws.between(1, 12), draws.between(1, 28)
    detail = draws.below(3)
    if detail == 0:
        text, first, last = f"{year}", f"{year}-01-01", f"{year}-12-31"
    elif detail == 1:
        end = calendar.monthrange(year, month)[1]
        text = f"{year}-{month:02}"
        first, last = f"{text}-01", f"{text}-{end}"
    else:
        text = first = last = f"{year}-{month:02}-{day:02}"
    yield "Text", f'"{text}"'
    yield "Earliest", f'"{first}"^^<{XSD}date>'
    yield "Latest", f'"{last}"^^<{XSD}date>'
