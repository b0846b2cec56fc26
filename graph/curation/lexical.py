"""Literals of the core datatypes: what is taken, and the one form in which it is kept.

Floor 2. The form is a fixed point of Oxigraph's storage, which rewrites literals: so a quad has
the same text, and the same hash, in log, snapshot and store. Lexical forms are checked here,
before anything computes with them: `1e1000000000` is refused as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from graph.terms import XSD

_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_DECIMAL: Final = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?")
_DOUBLE: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,4}))?")
_ZONE: Final = r"(Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)?"
_DATE: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})" + _ZONE)
_DATE_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,18}))?" + _ZONE
)
_YEAR: Final = re.compile(r"([0-9]{4})" + _ZONE)

_STRINGS: Final = ("string", "normalizedString", "token", "language", "Name", "NCName", "NMTOKEN")
#: Bounds of the integer types; all of them are kept as xsd:integer.
_INTEGERS: Final[Mapping[str, tuple[int | None, int | None]]] = {
    "integer": (None, None),
    "long": (-(2**63), 2**63 - 1),
    "int": (-(2**31), 2**31 - 1),
    "short": (-(2**15), 2**15 - 1),
    "byte": (-128, 127),
    "nonNegativeInteger": (0, None),
    "positiveInteger": (1, None),
    "nonPositiveInteger": (None, 0),
    "negativeInteger": (None, -1),
    "unsignedLong": (0, 2**64 - 1),
    "unsignedInt": (0, 2**32 - 1),
    "unsignedShort": (0, 2**16 - 1),
    "unsignedByte": (0, 255),
}

#: The datatypes that data is kept in, with an example each.
CORE: Final[Mapping[str, str]] = {
    "string": "text",
    "integer": "12",
    "decimal": "12.5",
    "boolean": "true",
    "date": "2020-12-01",
    "dateTime": "2020-12-01T09:30:00Z",
    "gYear": "2020",
    "anyURI": "https://example.org/",
}


class LexicalError(ValueError):
    """A text is not a value of its datatype."""


def canonical(value: str, datatype: str) -> tuple[str, str]:
    """Return value and datatype IRI as they are kept.

    Parameters
    ----------
    value : str
        Lexical form, already known to be of bearable length.
    datatype : str
        Datatype IRI: one of the core, or one that has a place in the core (the bounded integers,
        `double` and `float` as decimals, `dateTimeStamp`, the derived strings).

    Raises
    ------
    LexicalError
        The text is not a value of the datatype.
    KeyError
        The datatype has no place in the core.

    Examples
    --------
    >>> canonical("007", "http://www.w3.org/2001/XMLSchema#int")
    ('7', 'http://www.w3.org/2001/XMLSchema#integer')
    """
    if not datatype.startswith(XSD):
        raise KeyError(datatype)
    kept, write = _WRITERS[datatype[len(XSD) :]]
    return write(value), XSD + kept


def is_number(datatype: str) -> bool:
    """Tell whether a datatype's texts are bounded as numbers are."""
    name = datatype.removeprefix(XSD)
    return name in _INTEGERS or name in ("decimal", "double", "float")


def _keep(value: str) -> str:
    return value


def _integer(lowest: int | None, highest: int | None) -> Callable[[str], str]:
    def write(value: str) -> str:
        if not _INTEGER.fullmatch(value):
            raise LexicalError(value)
        number = int(value)
        if (lowest is not None and number < lowest) or (highest is not None and number > highest):
            raise LexicalError(value)
        return str(number)

    return write


def _decimal(value: str) -> str:
    match = _DECIMAL.fullmatch(value)
    if match is None or not (match[2] or match[3]):
        raise LexicalError(value)
    whole, fraction = match[2].lstrip("0") or "0", (match[3] or "").rstrip("0")
    text = f"{whole}.{fraction}" if fraction else whole
    return f"-{text}" if match[1] == "-" and text != "0" else text


def _double(value: str) -> str:
    """Return the decimal that a floating-point text names; infinities and NaN have no place."""
    match = _DOUBLE.fullmatch(value)
    if match is None or abs(int(match[1] or 0)) > 99:
        raise LexicalError(value)
    return _decimal(format(Decimal(value), "f"))


def _boolean(value: str) -> str:
    if value not in ("true", "false", "1", "0"):
        raise LexicalError(value)
    return "true" if value in ("true", "1") else "false"


def _zone(zone: str | None) -> str:
    return "Z" if zone in ("+00:00", "-00:00") else zone or ""


def _date(value: str) -> str:
    match = _DATE.fullmatch(value)
    if match is None:
        raise LexicalError(value)
    return _day(match[1]).isoformat() + _zone(match[2])


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise LexicalError(text) from error


def _date_time(value: str) -> str:
    match = _DATE_TIME.fullmatch(value)
    if match is None:
        raise LexicalError(value)
    day, clock, fraction, zone = match.groups()
    fraction = (fraction or "").rstrip("0")
    if clock == "24:00:00" and not fraction:  # the end of a day is the beginning of the next
        try:
            day, clock = (_day(day) + timedelta(days=1)).isoformat(), "00:00:00"
        except OverflowError as error:
            raise LexicalError(value) from error
    try:
        datetime.fromisoformat(f"{day}T{clock}")
    except ValueError as error:
        raise LexicalError(value) from error
    return f"{day}T{clock}{'.' + fraction if fraction else ''}{_zone(zone)}"


def _year(value: str) -> str:
    match = _YEAR.fullmatch(value)
    if match is None or match[1] == "0000":
        raise LexicalError(value)
    return match[1] + _zone(match[2])


_WRITERS: Final[Mapping[str, tuple[str, Callable[[str], str]]]] = {
    **dict.fromkeys(_STRINGS, ("string", _keep)),
    **{name: ("integer", _integer(*bounds)) for name, bounds in _INTEGERS.items()},
    "decimal": ("decimal", _decimal),
    "double": ("decimal", _double),
    "float": ("decimal", _double),
    "boolean": ("boolean", _boolean),
    "date": ("date", _date),
    "dateTime": ("dateTime", _date_time),
    "dateTimeStamp": ("dateTime", _date_time),
    "gYear": ("gYear", _year),
    "anyURI": ("anyURI", _keep),
}
