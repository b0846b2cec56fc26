from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph.curation.formats import (
    FORMATS,
    JSON_LD,
    N_QUADS,
    RDF_XML,
    TURTLE,
    Format,
    Upload,
)
from graph.curation.gate import Gate
from graph.curation.messages import say
from graph.errors import (
    DataError,
    ParseError,
    PayloadTooLargeError,
    ShapeViolationError,
)
from graph.terms import write_literal
from tests.gates import (
    ONE,
    load_refusal,
    open_gate,
    submit,
    upload,
    violations,
)
from tests.samples import PREFIXES, base


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    opened = open_gate(tmp_path / "store")
    yield opened
    opened.dataset.close()


@pytest.fixture
def filled(gate: Gate) -> Gate:
    submit(gate, base())
    return gate


def _claim(value: str) -> str:
    """A Turtle text with one statement about a known node."""
    return f"{PREFIXES} organisation:a skos:altLabel {value} ."


@pytest.mark.parametrize(
    ("text", "constraint", "words"),
    [
        (_claim('"x"'), "datatype", "rdf:langString"),
        (_claim('"1e1000000000"^^xsd:decimal'), "datatype", "xsd:decimal"),
        (_claim('"2020-02-30"^^xsd:date'), "datatype", "xsd:date"),
        (_claim('"x"^^<https://e.org/own>'), "datatype", "use one of"),
        (_claim(write_literal("x" * 65_537, language="en")), "maxLength", "65536"),
        (_claim('"a\\u0000b"@en'), "pattern", "U+0000"),
        (_claim("<javascript:alert(1)>"), "nodeKind", "javascript:"),
        (f"{PREFIXES} organisation:a rz:acronim 'A' .", "closed", "rz:acronym"),
        (f"{PREFIXES} organisation:z a rz:Clusters .", "closed", "rz:Cluster"),
        (f"{PREFIXES} organisation:a rz:acronym 'PÔLE', 'POLE' .", "maxCount", "at most 1"),
        (
            f"{PREFIXES} membership:b a rz:Membership ; org:member organisation:b ; "
            'org:organization network:n ; org:role role:member ; rz:status "stated" .',
            "minCount",
            "At least one evidence",
        ),
    ],
)
def test_bad_data_is_refused_with_its_place(
    filled: Gate, text: str, constraint: str, words: str
) -> None:
    found = violations(
        load_refusal(filled, ShapeViolationError, upload(text, TURTLE), graph=ONE[1:-1])
    )
    matching = [v for v in found if v.constraint == constraint]
    assert matching, found
    assert words in matching[0].message
    assert matching[0].focus_node.startswith("<")
    assert all(len(v.value or "") < 300 for v in found)


def _nested(depth: int) -> dict[str, str]:
    """20,000 blank nodes, one in the other."""
    turtle = "<a:s> <a:p> " + "[ <a:p> " * depth + "<a:o>" + " ]" * depth + " ."
    lists = "<a:s> <a:p> " + "( " * depth + ") " * depth + " ."
    objects = '{"@id": "a:s", "a:p": ' + '{"a:p": ' * depth + '"x"' + "}" * depth + "}"
    arrays = '{"@id": "a:s", "a:p": ' + '{"@list": [' * depth + "]}" * depth + "}"
    xml = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:a="a:">'
        + "<rdf:Description><a:p>" * depth
        + "</a:p></rdf:Description>" * depth
        + "</rdf:RDF>"
    )
    return {"turtle": turtle, "lists": lists, "jsonld": objects, "arrays": arrays, "rdfxml": xml}


@pytest.mark.parametrize("name", ["turtle", "lists", "jsonld", "arrays", "rdfxml"])
def test_deep_nesting_is_refused_soon(filled: Gate, name: str) -> None:
    format = {"jsonld": JSON_LD, "arrays": JSON_LD, "rdfxml": RDF_XML}.get(name, TURTLE)
    sent = upload(_nested(20_000)[name], format)
    load_refusal(filled, PayloadTooLargeError, sent, graph=ONE[1:-1])


ENTITIES = "".join(
    f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' if n else '<!ENTITY e0 "ha">' for n in range(12)
)
BOMB = (
    f"<!DOCTYPE rdf:RDF [{ENTITIES}]>"
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:a="a:">'
    '<rdf:Description rdf:about="a:s"><a:p>&e11;</a:p></rdf:Description></rdf:RDF>'
)


def test_an_entity_bomb_is_refused(filled: Gate) -> None:
    load_refusal(filled, DataError, upload(BOMB, RDF_XML), graph=ONE[1:-1])


@pytest.mark.parametrize(
    "context",
    [
        "http://127.0.0.1:9/context.jsonld",
        "file:///etc/hostname",
        {"@import": "http://127.0.0.1:9/context.jsonld"},
        ["http://127.0.0.1:9/context.jsonld"],
    ],
)
def test_remote_contexts_are_refused(filled: Gate, context: object) -> None:
    text = json.dumps({"@context": context, "@id": "a:s", "a:p": "x"})
    error = load_refusal(filled, ParseError, upload(text, JSON_LD), graph=ONE[1:-1])
    assert "sent (JSON-LD)" in error.message


@pytest.mark.parametrize("format", FORMATS, ids=lambda f: f.key)
@pytest.mark.parametrize(
    "data", [b"\xff\xfe", b"\xed\xa0\x80", b'<a:s> <a:p> "\xc3\x28" .\n', b"\x00" * 100]
)
def test_bytes_that_are_no_utf8_are_refused(filled: Gate, format: Format, data: bytes) -> None:
    load_refusal(filled, DataError, Upload("sent", format, data), graph=ONE[1:-1])


@pytest.mark.parametrize(
    ("text", "format"),
    [
        (_claim('"\\uD800"@en'), TURTLE),
        ('{"@id": "https://e.org/s", "https://e.org/p": "\\ud800"}', JSON_LD),
        ('<https://e.org/s> <https://e.org/p> "\\uDFFF" <https://e.org/g> .\n', N_QUADS),
    ],
)
def test_half_surrogates_are_refused(filled: Gate, text: str, format: Format) -> None:
    load_refusal(filled, DataError, upload(text, format), graph=ONE[1:-1])


def test_a_file_full_of_mistakes_is_told_in_part_and_soon(filled: Gate) -> None:
    """Distinct unknown fields of many nodes: neither memory nor near names run away."""
    text = PREFIXES + "\n".join(
        f"organisation:x{n} a rz:Company ; rz:unknown{n} {n} ." for n in range(12_000)
    )
    began = time.process_time()
    found = violations(
        load_refusal(filled, ShapeViolationError, upload(text, TURTLE), graph=ONE[1:-1])
    )
    assert time.process_time() - began < 30
    assert len(found) == 10_001
    assert found[-1].message == say("moreViolations", count=10_000)


def test_terms_that_cannot_be_kept_are_told_in_part(filled: Gate) -> None:
    text = PREFIXES + "\n".join(
        f'organisation:a rz:acronym "{n}"^^xsd:date .' for n in range(11_000)
    )
    found = violations(
        load_refusal(filled, ShapeViolationError, upload(text, TURTLE), graph=ONE[1:-1])
    )
    assert len(found) == 10_001
    assert {v.constraint for v in found} == {"datatype", "count"}
