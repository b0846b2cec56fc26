"""Documents named by their hash: both ways that clients name them, bounded, never another's."""

from __future__ import annotations

from typing import Any

import pytest

from graph.errors import BadValueError, UnknownDocumentError
from web.documents import Documents, hash_document, named_document

TEXT = "{ revision }"
DIGEST = hash_document(TEXT)


def extension(digest: Any) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": digest}}


@pytest.mark.parametrize(
    ("asked", "digest"),
    [
        ({}, None),
        ({"query": TEXT}, None),
        ({"extensions": None}, None),
        ({"extensions": {"other": 1}}, None),
        ({"documentId": DIGEST}, DIGEST),
        ({"documentId": f"sha256:{DIGEST}"}, DIGEST),
        ({"extensions": extension(DIGEST)}, DIGEST),
        ({"query": TEXT, "extensions": extension(DIGEST)}, DIGEST),
        ({"query": TEXT, "documentId": DIGEST}, DIGEST),
    ],
)
def test_a_document_is_named_in_two_ways(asked: dict[str, Any], digest: str | None) -> None:
    assert named_document(asked) == digest


@pytest.mark.parametrize("name", ["", "x", 1, [], DIGEST.upper(), DIGEST[:-1], "md5:" + DIGEST])
def test_what_is_no_hash_is_refused(name: Any) -> None:
    with pytest.raises(BadValueError, match="documentId"):
        named_document({"documentId": name})
    with pytest.raises(BadValueError, match="persistedQuery"):
        named_document({"extensions": extension(name)})


def test_an_extension_that_is_no_object_is_refused() -> None:
    with pytest.raises(BadValueError):
        named_document({"extensions": {"persistedQuery": 1}})
    with pytest.raises(BadValueError):
        named_document({"extensions": {"persistedQuery": {}, "x": 1}, "documentId": 0})


def test_a_text_under_another_hash_is_refused() -> None:
    with pytest.raises(BadValueError, match="comes with it"):
        named_document({"query": "{ __typename }", "extensions": extension(DIGEST)})


def test_texts_are_known_once_learned() -> None:
    documents = Documents(1_000)
    with pytest.raises(UnknownDocumentError) as caught:
        documents.text(DIGEST)
    assert (caught.value.message, caught.value.document) == ("PersistedQueryNotFound", DIGEST)
    documents.learn(TEXT)
    documents.learn(TEXT)
    assert documents.text(DIGEST) == TEXT
    assert (len(documents), documents.bytes_held) == (1, len(TEXT))


def test_they_are_bounded_and_the_least_used_goes_first() -> None:
    documents = Documents(100)
    texts = [f"{{ a{n:02}: revision }}" for n in range(20)]
    for text in texts:
        documents.learn(text)
        documents.text(hash_document(text))
        documents.learn(texts[0])
        documents.text(hash_document(texts[0]))
        assert documents.bytes_held <= 100
    assert documents.text(hash_document(texts[0])) == texts[0]
    with pytest.raises(UnknownDocumentError):
        documents.text(hash_document(texts[1]))
    documents.learn("#" * 101)
    assert len(documents) == 5
