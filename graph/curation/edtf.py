"""Dates as sources write them (EDTF) -> the first and the last day that they can mean.

Floor 2. What sources need of the Extended Date/Time Format: years, months and days, unspecified
digits (`201X`, `2019-XX`), qualifiers (`?`, `~`, `%`), intervals with open or unknown ends.
Seasons are refused: when they begin depends on the place.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date
from typing import Final

#: Forms that are read, for messages.
EXAMPLES: Final = "2019, 2019-06, 2019-06-11, 201X, 2019?, 2019-06/2019-08, 2019/.."
_DATE: Final = re.compile(
    r"(?P<year>[0-9]{4}|[0-9]{3}X|[0-9]{2}XX)(?:-(?P<month>[0-9]{2}|XX)(?:-(?P<day>[0-9]{2}|XX))?)?"
    r"[?~%]?"
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """First and last day, as `YYYY-MM-DD`; None where the date is open."""

    earliest: str | None
    latest: str | None


def read_edtf(text: str) -> Bounds:
    """Return the bounds of a date.

    Raises
    ------
    ValueError
        It is no date of this form, or its end lies before its beginning.

    Examples
    --------
    >>> read_edtf("2019-06/..")
    Bounds(earliest='2019-06-01', latest=None)
    """
    start, interval, end = text.partition("/")
    if not interval:
        first, last = _span(start)
        return Bounds(first.isoformat(), last.isoformat())
    earliest = None if start in ("", "..") else _span(start)[0]
    latest = None if end in ("", "..") else _span(end)[1]
    if earliest is None and latest is None:
        raise ValueError(f"no date: {text[:40]!r}")
    if earliest is not None and latest is not None and latest < earliest:
        raise ValueError(f"no date: {text[:40]!r}")
    return Bounds(_write(earliest), _write(latest))


def _span(text: str) -> tuple[date, date]:
    """Return the first and last day of one date without a slash."""
    form = _DATE.fullmatch(text)
    if form is None:
        raise ValueError(f"no date: {text[:40]!r}")
    first_year = max(1, int(form["year"].replace("X", "0")))
    last_year = int(form["year"].replace("X", "9"))
    if last_year == 0:
        raise ValueError(f"no date: {text[:40]!r}")
    first_month, last_month = _range(form["month"], 12)
    last_day_of_month = calendar.monthrange(last_year, last_month)[1]
    first_day, last_day = _range(form["day"], last_day_of_month)
    return date(first_year, first_month, first_day), date(last_year, last_month, last_day)


def _write(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _range(digits: str | None, most: int) -> tuple[int, int]:
    """Return the least and greatest number that two digits, given or not, can mean."""
    if digits is None or digits == "XX":
        return 1, most
    if not 1 <= int(digits) <= most:
        raise ValueError(f"no date: {digits!r}")
    return int(digits), int(digits)
