"""Workers that read files and scan stores: what strangers send is read in a process of its own."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from graph.errors import (
    ParseError,
    PayloadTooLargeError,
    StoreCorruptError,
)
from graph.settings import Settings
from graph.store.reading import parse_rdf, scan_checkpoint
from tests.pools import (
    kept,
    source,
)
from tests.stores import History

__all__ = ["kept", "source"]  # fixtures


TRIPLE = ("<http://e/a>", "<http://e/b>", '"c"@en', "")
FILES = {
    "turtle": '@prefix e: <http://e/> . e:a e:b "c"@EN .',
    "trig": '@prefix e: <http://e/> . { e:a e:b "c"@en }',
    "nt": '<http://e/a> <http://e/b> "c"@en .',
    "nq": '<http://e/a> <http://e/b> "c"@en .',
    "jsonld": '{"@id": "http://e/a", "http://e/b": {"@value": "c", "@language": "en"}}',
    "rdfxml": """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/">
        <rdf:Description rdf:about="http://e/a"><e:b xml:lang="en">c</e:b></rdf:Description>
        </rdf:RDF>""",
}


def parse(data: str | bytes, format: str, **settings: Any) -> list[tuple[str, str, str, str]]:
    raw = data.encode() if isinstance(data, str) else data
    return list(parse_rdf(raw, format, None, Settings(**settings), "a file"))


@pytest.mark.parametrize("format", FILES)
def test_all_formats_are_read(format: str) -> None:
    assert parse(FILES[format], format) == [TRIPLE]


def test_graphs_bases_and_literals_are_kept() -> None:
    text = '<a> <b> "x\\ty\\u0007\\\\" <g> .'.replace("<", "<http://e/")
    assert parse(text, "nq") == [
        ("<http://e/a>", "<http://e/b>", '"x\\ty\\u0007\\\\"', "<http://e/g>")
    ]
    found = list(parse_rdf(b"<a> <b> <c> .", "turtle", "http://e/d/", Settings()))
    assert found == [("<http://e/d/a>", "<http://e/d/b>", "<http://e/d/c>", "")]


@pytest.mark.parametrize(
    ("data", "format", "line", "column", "words"),
    [
        ("@prefix e: <http://e/> .\ne:a e:b x .", "turtle", 2, 9, "x is not a valid RDF object"),
        ("<http://e/a> <http://e/b> .", "turtle", 1, 27, "not a valid RDF object"),
        ("{ <http://e/a> <http://e/b> 1 ", "trig", 1, None, ""),
        ("<http://e/a> <http://e/b> 1 .", "nt", 1, 27, ""),
        ("\n\nnonsense", "nq", 3, 1, ""),
        ('{\n"@id": 5}', "jsonld", None, None, ""),
        ('{"@id": ', "jsonld", 1, None, ""),
        ("<a>\n<b></a>", "rdfxml", 2, 6, "mismatched tag"),
        (b'<http://e/a> <http://e/b> "\xff" .', "turtle", 1, 28, "Invalid UTF-8"),
        ('<http://e/a> <http://e/b> "\\uD800" .', "turtle", 1, 28, "unicode"),
        ('{"@context": "http://e/", "@id": "a"}', "jsonld", None, None, "are not fetched"),
        ('{"@context": {"@import": "http://e/"}}', "jsonld", None, None, "are not fetched"),
        ('{"@context": "file:///etc/passwd"}', "jsonld", None, None, "are not fetched"),
    ],
)
def test_malformed_files_are_refused_with_their_place(
    data: str | bytes, format: str, line: int | None, column: int | None, words: str
) -> None:
    with pytest.raises(ParseError) as caught:
        parse(data, format)
    error = caught.value
    assert (error.source, error.format) == ("a file", format)
    assert words in error.detail
    assert error.line == line
    if column is not None:
        assert error.column == column


@pytest.mark.parametrize(
    ("data", "format"),
    [
        ("<http://e/a> <http://e/b> " + "[ <http://e/b> " * 20_000 + "]" * 20_000 + " .", "turtle"),
        ("<http://e/a> <http://e/b> " + "( " * 20_000 + ")" * 20_000 + " .", "turtle"),
        ('{"http://e/b":' * 20_000 + "1" + "}" * 20_000, "jsonld"),
        ("<a><b>" * 20_000 + "</b></a>" * 20_000, "rdfxml"),
    ],
)
def test_deep_nesting_is_refused_at_once(data: str, format: str) -> None:
    started = time.monotonic()
    with pytest.raises(PayloadTooLargeError) as caught:
        parse(data, format)
    assert caught.value.limit == "nested_nodes"
    assert "line 1, column" in str(caught.value.place)
    assert time.monotonic() - started < 20


def test_an_entity_bomb_is_refused() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE a [<!ENTITY e0 "{"x" * 50}">{entities}]><a xmlns="http://e/">&e9;</a>'
    with pytest.raises(ParseError, match="amplification"):
        parse(bomb, "rdfxml")


def test_external_entities_are_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("do not tell")
    bomb = f"""<!DOCTYPE a [<!ENTITY e SYSTEM "file://{secret}">]>
        <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/">
        <rdf:Description rdf:about="http://e/a"><e:b>&e;</e:b></rdf:Description></rdf:RDF>"""
    with pytest.raises(ParseError):
        parse(bomb, "rdfxml")


def test_reading_has_a_deadline_and_a_memory() -> None:
    lines = "".join(f"<http://e/{n}> <http://e/b> {n} .\n" for n in range(300_000))
    with pytest.raises(PayloadTooLargeError) as caught:
        parse(lines, "turtle", parse_deadline_s=0.2)
    assert caught.value.limit == "parse_deadline_s"
    with pytest.raises(PayloadTooLargeError) as caught:
        parse(
            "<http://e/a> <http://e/b> '" + "x" * 50_000_000 + "' .", "turtle", parse_memory_mb=60
        )
    assert caught.value.limit == "parse_memory_mb"


def test_a_reader_that_stops_ends_the_worker() -> None:
    lines = "".join(f"<http://e/{n}> <http://e/b> {n} .\n" for n in range(50_000))
    reading = parse_rdf(lines.encode(), "turtle", None, Settings())
    assert next(reading)[0] == "<http://e/0>"
    del reading


def test_scans_tell_what_is_wrong_from_outside(kept: History, tmp_path: Path) -> None:
    checkpoint = kept.store.checkpoint()
    assert scan_checkpoint(checkpoint.path, is_deep=True) == ()
    with pytest.raises(StoreCorruptError):
        scan_checkpoint(tmp_path / "nowhere")
    copy = tmp_path / "copy"
    shutil.copytree(checkpoint.path, copy)
    for file in copy.glob("*.sst"):
        data = bytearray(file.read_bytes())
        data[len(data) // 4] ^= 0x55
        file.unlink()  # the live directory has it, too
        file.write_bytes(data)
    with pytest.raises(StoreCorruptError):
        scan_checkpoint(copy, is_deep=True)
