"""Texts folded into words, typos counted, matches shown: by example and against the definition."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.errors import BadValueError, QueryTooLargeError
from graph.store.search_text import (
    EXCERPT,
    Match,
    SearchText,
    count_edits,
    cut_pieces,
    edits_allowed,
    fold_words,
)
from graph.store.search_words import SortedTexts, Vocabulary, sort_gently
from tests.search_scan import distance, words_of
from tests.strategies import texts

LETTERS = "abcdeéαβ"
words = st.text(LETTERS, min_size=1, max_size=12)


def pieces(query: str, text: str, match: Match = Match.WORDS) -> list[tuple[str, bool]]:
    search = SearchText.read(query, 500, 50)
    return [(piece.text, piece.matched) for piece in cut_pieces(search, text, match)]


def has_accents_alone(character: str) -> bool:
    """Tell whether a character holds no mark that is part of a letter, as a vowel sign is."""
    parts = unicodedata.normalize("NFKD", character)
    marks = [part for part in parts if unicodedata.category(part) in ("Mn", "Mc")]
    return all(unicodedata.combining(mark) not in (0, 8, 9) for mark in marks)


# --- folding --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Pôle Végétal À ÇA", ["pole", "vegetal", "a", "ca"]),
        ("Straße STRASSE ẞ", ["strasse", "strasse", "ss"]),
        ("Grønn GRØNN Ærø Þing ðal", ["gronn", "gronn", "aero", "thing", "dal"]),
        ("Œuvre cœur ŒUF", ["oeuvre", "coeur", "oeuf"]),
        ("Łódź Đakovo ŐŰ Ğışİ", ["lodz", "dakovo", "ou", "gisi"]),
        ("Ελλάδα ΑΘΉΝΑ φυτός ΦΥΤΌΣ", ["ελλαδα", "αθηνα", "φυτοσ", "φυτοσ"]),
        ("Ёлка ЁЛКА Україна Йод", ["елка", "елка", "украіна", "иод"]),
        ("Innov'Alliance Innov’alliance", ["innov", "alliance", "innov", "alliance"]),
        ("Ind.Agro-Pol_SA", ["ind", "agro", "pol", "sa"]),
        ("ﬁbre Ⅳ ½ ｆｕｌｌ №5 ™", ["fibre", "iv", "1", "2", "full", "no5", "tm"]),
        ("soft\u00adhyphen zero\u200bwidth \u202etext\u202c", ["softhyphen", "zerowidth", "text"]),
        ("a\x00b\tc\nd\x1be", ["a", "b", "c", "d", "e"]),
        ('"*^:()- AND NEAR/2 {x}', ["and", "near", "2", "x"]),
        ("🌱 👩‍🌾 🇫🇷 ❤️", []),
        ("شركة النَّباتات", ["شركة", "النباتات"]),
        ("גַּן", ["גן"]),
        ("हिन्दी", ["हिन्दी"]),
        ("が か", ["か\u3099", "か"]),
        ("植物 식물", ["植物", unicodedata.normalize("NFKD", "식물")]),
        ("\ud800x", ["x"]),
        ("", []),
    ],
)
def test_texts_are_folded_as_people_type_them(text: str, folded: list[str]) -> None:
    assert fold_words(text) == folded


@given(texts)
def test_folding_is_that_of_the_definition(text: str) -> None:
    text = "".join(filter(has_accents_alone, text))
    assert fold_words(text) == words_of(text)


@given(texts)
def test_folding_does_not_depend_on_composition_or_case(text: str) -> None:
    assert fold_words(unicodedata.normalize("NFD", text)) == fold_words(text)
    assert fold_words(" ".join(fold_words(text))) == fold_words(text)
    assert fold_words(text.upper().lower()) == fold_words(text.upper())


def test_a_long_word_counts_by_its_beginning() -> None:
    assert fold_words("a" * 500 + " b") == ["a" * 64, "b"]


# --- what is searched for -------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", " ", "🌱", '"*^:()-', "\x00", "\u0301", "\u202e"])
def test_a_text_without_letter_or_digit_cannot_be_searched(text: str) -> None:
    with pytest.raises(BadValueError, match="at least one letter or digit") as error:
        SearchText.read(text, 200, 16, "search.text")
    assert error.value.name == "search.text"


def test_a_text_of_too_many_letters_or_words_is_refused() -> None:
    with pytest.raises(QueryTooLargeError, match="search_letters") as error:
        SearchText.read("x" * 10_000, 200, 16)
    assert (error.value.allowed, error.value.actual) == (200, 10_000)
    with pytest.raises(QueryTooLargeError, match="search_words"):
        SearchText.read(" ".join(f"w{n}" for n in range(17)), 200, 16)
    assert SearchText.read("plant " * 33, 200, 16).words == ("plant",)


def test_short_words_and_numbers_must_be_right() -> None:
    allowed = {word: edits_allowed(word) for word in ("pic", "agro", "cluster", "vegepoly", "2020")}
    assert allowed == {"pic": 1, "agro": 1, "cluster": 1, "vegepoly": 2, "2020": 0}
    assert SearchText.read("pic", 200, 16).edits == (0,)
    assert SearchText.read("pic at 2020 vegepolys", 200, 16).edits == (1, 0, 0, 2)


# --- typos ----------------------------------------------------------------------------------------


@given(words, words)
def test_edits_are_those_of_the_recurrence(one: str, other: str) -> None:
    near = distance(one, other)
    if near <= 2:
        assert count_edits(one, other) == near
    else:
        assert count_edits(one, other) > 2


@given(st.lists(words, min_size=1, unique=True), words, st.integers(0, 2))
def test_a_vocabulary_finds_all_words_that_near_and_no_other(
    known: list[str], pattern: str, edits: int
) -> None:
    known = sorted(known)
    vocabulary = Vocabulary(known)
    found = {
        known[number]: each for each, near in vocabulary.near(pattern, edits) for number in near
    }
    if len(pattern) > edits:
        wanted = {word: distance(pattern, word) for word in known}
        assert found == {word: each for word, each in wanted.items() if each <= edits}


def test_words_of_any_length_and_script_can_be_near() -> None:
    known = sorted(["x" * 64, "vegepolys", "φυτοσ", "植物学", "𐌰𐌱𐌲𐌳", "a"])
    vocabulary = Vocabulary(known)

    def near(pattern: str) -> set[str]:
        return {known[n] for _, numbers in vocabulary.near(pattern, 1) for n in numbers}

    assert near("x" * 63 + "y") == {"x" * 64}
    assert near("φυτοα") == {"φυτοσ"}
    assert near("𐌱𐌰𐌲𐌳") == {"𐌰𐌱𐌲𐌳"}
    assert near("植学") == {"植物学"}
    assert near("zzzz") == set()
    assert [n.tolist() for _, n in Vocabulary([]).near("plant", 1)] == [[], []]


def test_texts_are_found_whole_and_by_beginning() -> None:
    texts_ = SortedTexts(sorted(["agro", "agropolis", "agrß", "pôle", "pôle", "végétal", "𐌰"]))
    assert [texts_.place(text) for text in ("agro", "pôle", "agr", "zz", "𐌰")] == [
        0,
        3,
        None,
        None,
        6,
    ]
    assert texts_.beginning("agr") == (0, 3)
    assert texts_.beginning("p") == (3, 5)
    assert texts_.beginning("x") == (6, 6)
    assert SortedTexts([]).beginning("x") == (0, 0)


@given(st.lists(st.integers(0, 50), max_size=60))
def test_a_long_list_is_sorted_like_a_short_one(numbers: list[int]) -> None:
    assert sort_gently(numbers * 200) == sorted(numbers * 200)


def test_letters_of_a_vocabulary_are_exact_and_small() -> None:
    vocabulary = Vocabulary(sorted({f"w{n}" for n in range(40_000)}))
    assert len(vocabulary) == 40_000  # more than one chunk of signatures
    assert sum(len(n) for _, n in vocabulary.near("wxyz", 1)) == 0
    assert all(n.dtype == np.uint32 for _, n in vocabulary.near("w123", 1))


# --- what is shown --------------------------------------------------------------------------------


def test_what_matched_is_marked_in_the_text_as_it_is() -> None:
    assert pieces("vegepolys", "Le VÉGÉPOLYS <b>Valley</b>") == [
        ("Le ", False),
        ("VÉGÉPOLYS", True),
        (" <b>Valley</b>", False),
    ]
    assert pieces("strasse", "Große Straße") == [("Große ", False), ("Straße", True)]
    assert pieces("stra", "Straße 5", Match.PREFIX) == [("Stra", True), ("ße 5", False)]
    assert pieces("indagro", "Ind. Agro-Pol", Match.PREFIX) == [
        ("Ind. Agro", True),
        ("-Pol", False),
    ]
    assert pieces("oeu", "Œuvre", Match.BEGINNINGS) == [("Œu", True), ("vre", False)]
    assert pieces("vegepolis", "VEGEPOLYS Valley", Match.ONE_TYPO) == [
        ("VEGEPOLYS", True),
        (" Valley", False),
    ]
    assert pieces("cafe", "Un cafe\u0301 noir") == [
        ("Un ", False),
        ("cafe\u0301", True),
        (" noir", False),
    ]


def test_a_long_text_is_shown_around_its_match() -> None:
    text = "mot " * 200 + "Végépolys " + "fin " * 200
    shown = pieces("vegepolys", text)
    assert shown[0] == ("…", False)
    assert ("Végépolys", True) in shown
    assert len("".join(part for part, _ in shown)) <= EXCERPT + 2
    assert shown[-1][0].endswith("…")
    start = pieces("mot", text)
    assert start[0] == ("mot", True)


@given(texts, st.sampled_from(list(Match)), texts)
def test_pieces_are_the_text_and_nothing_else(text: str, match: Match, query: str) -> None:
    if not fold_words(query) or not fold_words(text):
        return
    shown = cut_pieces(SearchText.read(query, 500, 50), text, match)
    assert "".join(piece.text for piece in shown) == text
    assert all(piece.text for piece in shown)
