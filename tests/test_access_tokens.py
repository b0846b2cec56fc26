from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.access import Level, Scope
from graph.errors import (
    BadValueError,
    NotFoundError,
    StoreCorruptError,
    StoreUnavailableError,
    UnauthenticatedError,
)
from graph.settings import Settings
from graph.store.access_tokens import FORM, NAME, PREFIX, Tokens, checksum
from web.log import JsonFormatter

NOW = 1_790_000_000.0  # 2026-09-21
SOURCE = "https://w3id.org/rhizome/id/source/mine"


class Clock:
    """A clock that stands until it is moved."""

    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(tmp_path: Path, clock: Clock) -> Tokens:
    return Tokens.open(Settings(store=tmp_path), clock)


def reopened(tmp_path: Path, clock: Clock) -> Tokens:
    return Tokens.open(Settings(store=tmp_path), clock)


def refused(tokens: Tokens, text: str) -> str:
    with pytest.raises(UnauthenticatedError) as caught:
        tokens.authenticate(text)
    assert caught.value.error == "invalid_token"
    return caught.value.message


def test_a_token_stands_for_its_viewer(tokens: Tokens) -> None:
    text, token = tokens.create(["write", "changes"], name="observatory", sources=[SOURCE])
    viewer = tokens.authenticate(text)
    assert (viewer.name, viewer.token, viewer.level) == ("observatory", token.id, Level.PUBLIC)
    assert viewer.scopes == {Scope.WRITE, Scope.CHANGES}
    assert viewer.sources == {SOURCE}
    settings = Settings()
    assert viewer.nodes_max == settings.graphql_token_nodes
    assert viewer.query_deadline_s == settings.sparql_token_deadline_s
    assert viewer.expires == token.expires == "2026-12-20T14:13:20Z"
    assert not viewer.is_anonymous


@pytest.mark.parametrize("level", Level)
def test_a_token_reads_its_level(
    tokens: Tokens, tmp_path: Path, clock: Clock, level: Level
) -> None:
    text, _ = tokens.create(["write"], level=level.name.lower())
    assert tokens.authenticate(text).level is level
    assert reopened(tmp_path, clock).authenticate(text).level is level


def test_a_token_that_reads_more_needs_no_scope(tokens: Tokens) -> None:
    text, _ = tokens.create([], level="partner")
    assert tokens.authenticate(text).scopes == frozenset()
    for level in (None, "public", "all"):
        with pytest.raises(BadValueError):
            tokens.create([], level=level)


def test_the_text_is_random_recognisable_and_ends_in_a_checksum(tokens: Tokens) -> None:
    texts = {tokens.create(["write"])[0] for _ in range(50)}
    assert len(texts) == 50
    for text in texts:
        form = FORM.fullmatch(text)
        assert form is not None
        assert text.startswith(PREFIX)
        assert text[-6:] == checksum(text[:-6])
        assert len(set(form["secret"])) > 10
    assert 62 ** len("x" * 44) > 2**256


def test_the_file_holds_hashes_alone_and_is_the_owners(tokens: Tokens, tmp_path: Path) -> None:
    text, token = tokens.create(["write"], name="a")
    path = tmp_path / NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = path.read_text()
    form = FORM.fullmatch(text)
    assert form is not None
    assert form["secret"] not in content
    assert hashlib.sha256(text.encode()).hexdigest() in content
    assert token.digest in content
    assert [p.name for p in tmp_path.iterdir()] == [NAME]


def test_a_file_that_others_may_read_is_closed_to_them(
    tokens: Tokens, tmp_path: Path, clock: Clock
) -> None:
    tokens.create(["write"])
    (tmp_path / NAME).chmod(0o644)
    reopened(tmp_path, clock)
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600


def test_what_was_made_and_revoked_outlives_the_process(
    tokens: Tokens, tmp_path: Path, clock: Clock
) -> None:
    kept, _ = tokens.create(["write"], name="kept", sources=[SOURCE])
    gone, _ = tokens.create(["explain"], name="gone")
    tokens.revoke("gone")
    again = reopened(tmp_path, clock)
    assert again.all() == tokens.all()
    assert again.authenticate(kept).name == "kept"
    assert "revoked" in refused(again, gone)


def test_a_revoked_token_is_refused_at_once(tokens: Tokens) -> None:
    text, token = tokens.create(["write"])
    viewer = tokens.authenticate(text)
    assert tokens.recheck(viewer)
    (gone,) = tokens.revoke(token.id)
    assert gone.revoked == "2026-09-21T14:13:20Z"
    assert "revoked" in refused(tokens, text)
    assert not tokens.recheck(viewer)


def test_a_name_revokes_all_its_tokens(tokens: Tokens) -> None:
    old, _ = tokens.create(["write"], name="team")
    new, _ = tokens.create(["write"], name="team")
    other, _ = tokens.create(["write"], name="other")
    assert len(tokens.revoke("team")) == 2
    refused(tokens, old)
    refused(tokens, new)
    assert tokens.authenticate(other).name == "other"
    for unknown in ("team", "nobody", ""):
        with pytest.raises(NotFoundError):
            tokens.revoke(unknown)


def test_an_expired_token_is_refused_to_the_second(tokens: Tokens, clock: Clock) -> None:
    text, _ = tokens.create(["write"], expires="2d")
    viewer = tokens.authenticate(text)
    clock.now = NOW + 2 * 86_400 - 1
    assert tokens.authenticate(text) == viewer
    clock.now += 1
    assert "expired" in refused(tokens, text)
    assert not tokens.recheck(viewer)


@pytest.mark.parametrize(
    ("given_", "expires"),
    [
        (None, "2026-12-20T14:13:20Z"),
        ("1d", "2026-09-22T14:13:20Z"),
        ("366d", "2027-09-22T14:13:20Z"),
        ("2026-09-21", "2026-09-21T23:59:59Z"),
        ("2027-03-31", "2027-03-31T23:59:59Z"),
    ],
)
def test_an_expiry_is_a_day_or_a_number_of_days(
    tokens: Tokens, given_: str | None, expires: str
) -> None:
    assert tokens.create(["write"], expires=given_)[1].expires == expires


@pytest.mark.parametrize(
    "options",
    [
        {"scopes": []},
        {"scopes": ["owner"]},
        {"scopes": ["write", "Write"]},
        {"expires": "never"},
        {"expires": ""},
        {"expires": "0d"},
        {"expires": "-1d"},
        {"expires": "400d"},
        {"expires": "99999d"},
        {"expires": "2026-09-20"},
        {"expires": "2030-01-01"},
        {"expires": "2026-02-30"},
        {"name": ""},
        {"name": "server"},
        {"name": "anonymous"},
        {"name": "command line"},
        {"name": "a\nb"},
        {"name": "a" * 64},
        {"sources": ["mine"]},
        {"sources": ["https://e.org/a> <b"]},
    ],
)
def test_what_cannot_be_a_token_is_refused_and_nothing_is_written(
    tokens: Tokens, tmp_path: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(BadValueError):
        tokens.create(**{"scopes": ["write"], **options})
    assert tokens.all() == ()
    assert list(tmp_path.iterdir()) == []


@given(text=st.text(max_size=90))
def test_no_text_but_the_token_is_let_in(text: str) -> None:
    tokens = Tokens(Path("nowhere"), Settings())
    refused(tokens, text)


def test_nearly_the_token_is_not_the_token(tokens: Tokens) -> None:
    text, token = tokens.create(["write"])
    other, _ = tokens.create(["write"])
    flipped = text[:-1] + ("a" if text[-1] != "a" else "b")
    borrowed = f"{PREFIX}{token.id}{other[12:]}"
    for wrong in (flipped, borrowed, text[:-1], text + "a", text.upper(), f" {text}", text + "\n"):
        assert refused(tokens, wrong) == "the token is not valid"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"format": 1}',
        b'{"format": 2, "tokens": []}',
        b'{"format": 1, "tokens": [{"id": "a"}]}',
        b'{"format": 1, "tokens": [7]}',
    ],
)
def test_a_damaged_file_is_told_and_lets_nobody_in(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(StoreCorruptError, match=NAME):
        Tokens.open(Settings(store=tmp_path))


@pytest.mark.parametrize("field", ["digest", "expires", "level", "scopes"])
def test_a_damaged_record_is_told(tokens: Tokens, tmp_path: Path, field: str) -> None:
    tokens.create(["write"])
    content = json.loads((tmp_path / NAME).read_text())
    content["tokens"][0][field] = None
    (tmp_path / NAME).write_text(json.dumps(content))
    with pytest.raises(StoreCorruptError):
        Tokens.open(Settings(store=tmp_path))


def test_a_write_that_fails_leaves_the_old_tokens(
    tokens: Tokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    text, token = tokens.create(["write"])
    before = (tmp_path / NAME).read_bytes()

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreUnavailableError):
        tokens.create(["write"])
    with pytest.raises(StoreUnavailableError):
        tokens.revoke(token.id)
    assert (tmp_path / NAME).read_bytes() == before
    assert tokens.authenticate(text).token == token.id
    monkeypatch.undo()
    assert len(reopened(tmp_path, clock).all()) == 1
    tokens.revoke(token.id)


def test_threads_lose_no_token(tokens: Tokens, tmp_path: Path, clock: Clock) -> None:
    threads = [threading.Thread(target=lambda: tokens.create(["write"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens.all()) == len(reopened(tmp_path, clock).all()) == 8


def test_a_token_is_cut_out_of_every_log_line(tokens: Tokens) -> None:
    text, _ = tokens.create(["write"])
    for said in (f"got {text}", f"Authorization: Bearer {text}", f"('x', '{text}')", f"a{text}"):
        record = logging.LogRecord("a", logging.INFO, "f", 1, said, None, None)
        record.fields = {"given": said}
        line = JsonFormatter().format(record)
        assert text[14:40] not in line, line
