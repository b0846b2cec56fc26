"""The order in which languages answer: what a reader asks for, then the service's chain.

Floor 4. Lookup as in RFC 4647; an order is made once for each list of languages and kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

#: Characters of the tags of an order that is kept: clients name languages as they like.
KEPT_CHARACTERS: Final = 512


class LanguageOrder(dict[str, tuple[int, str]]):
    """The place of each language, the first preferred, by RFC 4647's lookup.

    Who asks for `fr-ca` also takes `fr`; who asks for `fr` also takes `fr-ca`.
    """

    def __init__(self, languages: Sequence[str]) -> None:
        tags = (tag.lower() for tag in languages)
        families = ((tag, tag.split("-")[0]) for tag in tags)
        self.wanted = tuple(dict.fromkeys(tag for pair in families for tag in pair))
        super().__init__({tag: (place, tag) for place, tag in enumerate(self.wanted)})

    def __missing__(self, language: str) -> tuple[int, str]:
        """Place a language that was not named: with its own family, else last."""
        family = language.split("-")[0]
        place = self.wanted.index(family) if family in self.wanted else len(self.wanted)
        self[language] = place, language
        return place, language


def language_order(languages: tuple[str, ...]) -> LanguageOrder:
    """Return the order of languages, the first preferred."""
    if sum(map(len, languages)) > KEPT_CHARACTERS:
        return LanguageOrder(languages)
    return _kept_order(languages)


_kept_order: Final = lru_cache(maxsize=256)(LanguageOrder)


def is_in_ranges(language: str, ranges: Sequence[str]) -> bool:
    """Tell whether a language is in one of the ranges, by RFC 4647's basic filtering.

    Examples
    --------
    >>> is_in_ranges("fr-ca", ["FR"]), is_in_ranges("fr", ["fr-ca"])
    (True, False)
    """
    return any(language == tag or language.startswith(f"{tag}-") for tag in map(str.lower, ranges))
