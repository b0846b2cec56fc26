"""Texts and numbers of the report in English and French.

Floor 3. Reads the two tables beside the templates once; knows nothing of networks.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from graph.errors import BadValueError

LANGUAGES: Final = ("en", "fr")
TEMPLATES: Final = Path(__file__).parent / "templates"
#: Parts of a measure's text.
MEASURE_PARTS: Final = ("label", "unit", "definition", "formula", "normalisation", "edges")
_THIN: Final = "\u202f"  # narrow no-break space: in French thousands, percent signs, marks
_FRENCH_MARKS: Final = re.compile(r" [:;!?»]|« ")


def keep_spaces(text: str, language: str) -> str:
    """Return a text whose marks stand on the line of their word, as French wants it.

    Examples
    --------
    >>> keep_spaces("Qui ?", "fr") == "Qui\u202f?", keep_spaces("Who ?", "en")
    (True, 'Who ?')
    """
    return _FRENCH_MARKS.sub(_keep_space, text) if language == "fr" else text


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
        return self._write(read_texts("texts")[key][self.language]).format(**fields)

    def measure(self, key: str, part: str) -> str:
        """Return a part of a measure's text, one of `MEASURE_PARTS`."""
        return self._write(read_texts("measures")[key][self.language][part])

    def _write(self, text: str) -> str:
        return keep_spaces(text, self.language)

    def number(self, value: float | None, digits: int = 0) -> str:
        """Return a number with grouped thousands, a dash where it is not defined."""
        if value is None:
            return "–"
        small = 0 < value < 0.5 * 10**-digits  # not nothing, and not to be shown as such
        text = f"<{10**-digits:.{digits}f}" if small else f"{value:,.{digits}f}"
        if self.language == "fr":
            text = text.replace(",", _THIN).replace(".", ",")
        return text

    def tick(self, value: float) -> str:
        """Return a number beside an axis, without digits that it does not need."""
        text = f"{value:g}"
        return text.replace(".", ",") if self.language == "fr" else text

    def percent(self, share: float) -> str:
        """Return a share as percent, with a decimal where the first digit stands there."""
        text = self.number(100 * share, 1 if 0 < share < 0.095 else 0)
        return f"{text}{_THIN}%" if self.language == "fr" else f"{text}%"

    def time(self, iso: str) -> str:
        """Return an ISO time in words, to the minute: `22 November 2026, 13:00 UTC`."""
        moment = datetime.fromisoformat(iso).astimezone(UTC)
        month = self.say("months").split()[moment.month - 1]
        day = "1er" if self.language == "fr" and moment.day == 1 else str(moment.day)
        return f"{day} {month} {moment.year}, {moment:%H:%M} UTC"

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


def _keep_space(match: re.Match[str]) -> str:
    mark = match.group()
    return mark.replace(" ", "\u00a0" if {":", "«", "»"} & set(mark) else _THIN)


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
