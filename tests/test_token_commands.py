"""`server.py token ...`: alone, and through a server that runs."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import server
from graph.settings import Settings
from graph.store.access_tokens import FORM, NAME, Tokens
from tests.running import Running

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    """Run `token ...` on a store: exit code, standard output, standard error."""
    for name in list(os.environ):
        if name.startswith("RHIZOME_") and not name.startswith("RHIZOME_TEST_"):
            monkeypatch.delenv(name)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = server.main(["token", *arguments, "--store", str(tmp_path / "store")])
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return call


def test_a_token_is_printed_once_and_alone(run: Run, tmp_path: Path) -> None:
    code, out, err = run("create", "--scope", "write", "--name", "team", "--expires", "30d")
    assert code == 0
    assert FORM.fullmatch(out.removesuffix("\n"))
    assert "of team, scopes write, level public, valid until 2" in err
    assert out.strip() not in err
    tokens = Tokens.open(Settings(store=tmp_path / "store"))
    assert tokens.authenticate(out.strip()).name == "team"
    code, listed, err = run("list")
    assert re.fullmatch(r"\w{8}  team +valid +public +write +made \S+ until \S+\n", listed)
    assert out.strip()[13:] not in listed
    assert "1 tokens, 1 valid" in err
    assert run("revoke", "team")[0] == 0
    assert "revoked" in run("list")[1]


def test_it_needs_no_dataset_and_leaves_none(run: Run, tmp_path: Path) -> None:
    run("create", "--scope", "write")
    assert not (tmp_path / "store" / "log").exists()
    assert (tmp_path / "store" / NAME).exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["create", "--scope", "all"], "--scope"),
        (["create", "--scope", "write", "--expires", "yesterday"], "--expires"),
        (["create", "--scope", "write", "--name", "Not Good"], "--name"),
        (["create", "--scope", "write", "--source", "mine"], "--source"),
        (["revoke", "nobody"], "nobody"),
    ],
)
def test_a_mistake_is_one_sentence(run: Run, arguments: list[str], named: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert named in err
    assert err.count("\n") == 1


def test_tokens_of_a_running_server_work_and_end_at_once(
    run: Run, seeded_store: Path, tmp_path: Path
) -> None:
    shutil.copytree(seeded_store, tmp_path / "store")
    running = Running(tmp_path / "store").ready()
    try:
        code, out, err = run("create", "--scope", "write", "--name", "team")
        assert code == 0, err
        headers = {"Authorization": f"Bearer {out.strip()}"}
        assert running.get("/version", **headers).status == 200
        assert "team" in run("list")[1]
        assert run("revoke", "team")[0] == 0
        assert running.get("/version", **headers).status == 401
        assert run("revoke", "team")[0] == 2
        assert run("create", "--scope", "none")[0] == 2
        assert running.stop() == 0
        assert out.strip()[13:] not in running.errors()
    finally:
        running.close()
