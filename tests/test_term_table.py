"""The term table: what its copies know, whoever adds terms meanwhile."""

from __future__ import annotations

import threading

import pytest

from graph.store.term_table import LONG_TEXT_BYTES, LongTexts, TermTable
from graph.terms import write_literal


def test_a_copy_is_whole_though_a_term_is_added_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    table = TermTable()
    table.add("<http://e/first>")
    table.add(write_literal("long " * LONG_TEXT_BYTES))
    begun, added = threading.Event(), threading.Event()
    copy_page = LongTexts.copy

    def slow(page: LongTexts) -> LongTexts:
        begun.set()
        added.wait(0.2)  # it comes only where nothing keeps it from coming
        return copy_page(page)

    def add() -> None:
        assert begun.wait(30)
        table.add("<http://e/second>")
        added.set()

    monkeypatch.setattr(LongTexts, "copy", slow)
    adding = threading.Thread(target=add)
    adding.start()
    copied = table.copy()
    adding.join()
    third = copied.add("<http://e/third>")
    assert copied.term(third) == "<http://e/third>"
    for number, term in copied.all():
        assert copied.find(term) == number
    assert copied.add("<http://e/second>") != third
    assert table.find("<http://e/second>") is not None
