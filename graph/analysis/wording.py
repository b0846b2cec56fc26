"""Texts and numbers of the report in English and French.

Floor 3. Reads the two tables beside the templates once; knows nothing of networks.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from graph.errors import BadValueError

LANGUAGES: Final = ("en", "fr")
TEMPLATES: Final = Path(__file__).parent / "templates"
#: Parts of a measure's text.
MEASURE_PARTS: Final = ("label", "unit", "definition", "formula", "normalisation", "edges")
_THIN: Final = "\u202f"  # narrow no-break space: thousands and percent signs in French


class Wording:
    """The report's texts in one language.

    Raises
    ------
    BadValueError
        The language is neither English nor French.
    """

    def __init__(self, language: str) -> None:
        if language not in LANGUAGES:
            raise BadValueError("language", language, f"one of {', '.join(LANGUAGES)}")
        self.language = language

    def say(self, key: str, **values: object) -> str:
        """Return a text; whole numbers become countable words, texts go in as they are.

        Examples
        --------
        >>> Wording("en").say("layer.project.count", n=1200)
        '1,200 projects'
        """
        fields = {
            name: Count(self, value) if isinstance(value, int) else value
            for name, value in values.items()
        }
        text: str = read_texts("texts")[key][self.language]
        return text.format(**fields)

    def measure(self, key: str, part: str) -> str:
        """Return a part of a measure's text, one of `MEASURE_PARTS`."""
        text: str = read_texts("measures")[key][self.language][part]
        return text

    def number(self, value: float | None, digits: int = 0) -> str:
        """Return a number with grouped thousands, a dash where it is not defined."""
        if value is None:
            return "–"
        text = f"{value:,.{digits}f}"
        if self.language == "fr":
            text = text.replace(",", _THIN).replace(".", ",")
        return text

    def percent(self, share: float) -> str:
        """Return a share as percent, with a decimal where the first digit stands there."""
        text = self.number(100 * share, 1 if 0 < share < 0.095 else 0)
        return f"{text}{_THIN}%" if self.language == "fr" else f"{text}%"

    def count(self, value: int, one: str, many: str) -> str:
        """Return the word for a number of things."""
        return one if (value < 2 if self.language == "fr" else value == 1) else many

    def join(self, items: Sequence[str], word: str = "word.and") -> str:
        """Return the items joined by commas and a final `and`, or another word."""
        if len(items) < 2:
            return "".join(items)
        return ", ".join(items[:-1]) + self.say(word) + items[-1]

    def shorten(self, items: Sequence[str], most: int) -> str:
        """Return the first items and how many more there are."""
        if len(items) <= most:
            return self.join(items)
        rest = self.say("note.more", n=len(items) - most)
        return f"{', '.join(items[:most])} {rest}"


class Count:
    """A whole number that chooses its word: `{n:tie|ties}`; `{n:#is|are}` leaves out the number."""

    def __init__(self, wording: Wording, value: int) -> None:
        self.wording = wording
        self.value = value

    def __format__(self, words: str) -> str:
        number = self.wording.number(self.value)
        if not words:
            return number
        one, _, many = words.removeprefix("#").partition("|")
        word = self.wording.count(self.value, one, many)
        return word if words.startswith("#") else f"{number} {word}"


@lru_cache(maxsize=2)
def read_texts(name: str) -> Mapping[str, Any]:
    """Return one of the tables `texts` and `measures`."""
    return tomllib.loads((TEMPLATES / f"{name}.toml").read_text(encoding="utf-8"))
