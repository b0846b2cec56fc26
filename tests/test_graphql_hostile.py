"""Hostile input through every text and identifier that a mutation takes."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest

from graph.terms import ENTITY
from tests.writing import (
    CREATE,
    HOSTILE,
    Client,
    client,
    http,
    name,
    revision,
)

__all__ = ["client", "http"]  # fixtures


# --- hostile input ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_stays_a_text_wherever_it_is_given(client: Client, text: str) -> None:
    """Through every String, ID and URI: it is refused, or comes back as it went in."""
    values = {
        "name": [{"text": text, "lang": "en"}],
        "altNames": [{"text": text, "lang": "fr"}],
        "acronym": text[:40],
        "legalForm": text[:40],
    }
    made = client.create(values, id=f"{ENTITY}organisation/hostile-{abs(hash(text))}", why=None)
    if made["accepted"]:
        query = "query ($id: ID!) { cluster(id: $id) { name altNames acronym legalForm } }"
        read = client.ask(query, id=made["id"])["cluster"]
        kept = unicodedata.normalize("NFC", text)
        assert read["name"] == kept
        assert read["altNames"] == [kept]
        assert read["acronym"] == unicodedata.normalize("NFC", text[:40])
    else:
        assert made["violations"][0]["inputPath"][0] == "input"
    before = revision(client.http)
    for field in ("homepage", "founded", "country", "vatNumber", "wikidataId", "rorId"):
        refused = client.create({field: text})
        if refused["accepted"]:
            assert field == "vatNumber"
            before = revision(client.http)
    for field in ("sectors", "sameAs", "parents"):
        given = client.create({field: [text]}, dry=True)
        assert not given["accepted"], field
    for variables in (
        {"source": {"id": text, "create": {"title": "t"}}},
        {"id": text},
        {"source": {**client.source, "id": f"{ENTITY}source/x{text}/"}},
    ):
        assert not client.create(name("Never"), **variables)["accepted"]
    assert revision(client.http) == before


@pytest.mark.parametrize("text", HOSTILE)
def test_keys_and_messages_stay_text(client: Client, text: str) -> None:
    answer = client.post(
        CREATE, source=client.source, input={"acronym": "x" * 99}, key=text, why=text, dry=False
    )
    assert answer.status_code == 200
    body = answer.json()
    codes = {error["extensions"]["code"] for error in body.get("errors", ())}
    assert codes <= {"BAD_VALUE"}
    assert "INTERNAL" not in answer.text


def test_what_a_mutation_answers_is_limited_too(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many acts may each answer with a long text: what is over the limit is said to be."""
    query = CREATE.replace("acronym statedBy", "acronym description statedBy")
    described = {"description": [{"text": "é" * 400, "lang": "en"}]}
    engine = client.http.app.state.service.writer.engine  # type: ignore[attr-defined]

    def ask(text: str) -> str:
        answer = client.post(query, source=client.source, input=name(text) | described)
        return str(answer.json())

    assert "é" * 400 in ask("Long")
    monkeypatch.setattr(engine, "settings", replace(engine.settings, graphql_answer_bytes=700))
    assert "'limit': 'graphql_answer_bytes'" in ask("Longer")
