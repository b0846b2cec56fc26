"""How texts are compared: without case and accents, and in which order.

Floor 4. The order is that of the root of the Unicode collation algorithm in three levels: letters,
then accents, then case, with signs before digits before letters. It is the order of English and
French alike, so a list does not depend on the machine's locale; languages with letters of their
own at the end of the alphabet (Swedish, Estonian) are not served apart.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

#: Letters that no decomposition of Unicode takes apart.
_LETTERS: Final = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ı": "i", "’": "'"}
)
#: Signs of ASCII that stand behind digits or letters there, moved before both.
_SIGNS: Final = str.maketrans({sign: chr(at + 1) for at, sign in enumerate(":;<=>?@[\\]^_`{|}~")})

#: Texts up to this length, in characters, are remembered; keys of longer ones are cut here.
LENGTH: Final = 200
_BEGIN_BYTES: Final = 16
CollationKey = tuple[str, str, str]


def fold(text: str) -> str:
    """Return a text without case and accents, by which it is searched.

    Examples
    --------
    >>> fold("Végépolys Vallée") == fold("VEGEPOLYS VALLEE")
    True
    """
    if text.isascii():
        return text.lower()
    return _remembered(text) if len(text) <= LENGTH else _fold(text)


def _fold(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return "".join(part for part in parts if not unicodedata.combining(part))


_remembered: Final = lru_cache(maxsize=65_536)(_fold)


@lru_cache(maxsize=65_536)
def collation_key(text: str) -> CollationKey:
    """Return the key by which a text of at most `LENGTH` characters is put in order.

    Examples
    --------
    >>> sorted(["Zoo", "élan", "Elan", "2020", "(a)", "eland"], key=collation_key)
    ['(a)', '2020', 'Elan', 'élan', 'eland', 'Zoo']
    """
    folded = fold(text).translate(_SIGNS)
    if text.isascii():
        return folded, "", text.swapcase()
    return folded, unicodedata.normalize("NFD", text.casefold()), text.swapcase()


def first_bytes(text: str) -> bytes:
    r"""Return the first 16 bytes of what texts are first ordered by, in UTF-8; zeros fill them up.

    Texts of which these differ stand in the order of these, since UTF-8 keeps that of characters.

    Examples
    --------
    >>> first_bytes("Élan vital")
    b'elan vital\x00\x00\x00\x00\x00\x00'
    """
    folded = text[:_BEGIN_BYTES].lower() if text.isascii() else _fold(text[:LENGTH])
    return (
        folded[:_BEGIN_BYTES].translate(_SIGNS).encode()[:_BEGIN_BYTES].ljust(_BEGIN_BYTES, b"\0")
    )
