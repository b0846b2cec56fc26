from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from graph.curation.formats import (
    FORMATS,
    JSON_LD,
    N_QUADS,
    RDF_XML,
    TURTLE,
    Format,
    format_named,
    format_of_media_type,
    format_of_path,
    open_file,
    open_upload,
    read_rdf,
)
from graph.errors import (
    ParseError,
    PayloadTooLargeError,
    UnknownTermError,
    UnsupportedMediaTypeError,
)
from graph.settings import Settings
from graph.terms import Quad

SETTINGS = Settings()
SAMPLE: dict[str, str] = {
    "turtle": '<a:s> <a:p> "é"@fr .',
    "trig": '<a:s> <a:p> "é"@fr .',
    "nt": '<a:s> <a:p> "é"@fr .\n',
    "nq": '<a:s> <a:p> "é"@fr .\n',
    "jsonld": '{"@id": "a:s", "a:p": {"@value": "é", "@language": "fr"}}',
    "rdfxml": (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:a="a:">'
        '<rdf:Description rdf:about="a:s"><a:p xml:lang="fr">é</a:p></rdf:Description></rdf:RDF>'
    ),
}
MALFORMED: dict[str, str] = {
    "turtle": "<a:s> <a:p> .\n",
    "trig": "<a:g> {\n <a:s> <a:p> \n",
    "nt": '<a:s> <a:p> "x"\n<a:s> .\n',
    "nq": "<a:s> <a:p> <a:o> <a:g> <a:h> .\n",
    "jsonld": '{"@id": "a:s",\n "a:p": }',
    "rdfxml": "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>\n<a></b></rdf:RDF>",
}


def _read(format: Format, data: bytes, settings: Settings = SETTINGS) -> list[Quad]:
    return list(read_rdf(open_upload("sent", format, data, settings), settings))


@pytest.mark.parametrize("format", FORMATS, ids=lambda f: f.key)
def test_each_format_is_read(format: Format) -> None:
    assert _read(format, SAMPLE[format.key].encode()) == [("<a:s>", "<a:p>", '"é"@fr', "")]


@pytest.mark.parametrize("format", FORMATS, ids=lambda f: f.key)
def test_malformed_text_is_named_with_its_place(format: Format) -> None:
    with pytest.raises(ParseError) as error:
        _read(format, MALFORMED[format.key].encode())
    assert (error.value.source, error.value.format) == ("sent", format.label)
    if format is not RDF_XML:  # the engine's XML parser does not know where it stands
        assert error.value.line is not None
        assert error.value.line >= 1
        assert error.value.column is not None


@pytest.mark.parametrize("format", FORMATS, ids=lambda f: f.key)
@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"\x00", b"<", b"{", b"\x80\x81"])
def test_bytes_that_are_no_text_are_refused(format: Format, data: bytes) -> None:
    with pytest.raises(ParseError):
        _read(format, data)


def test_graphs_of_a_dataset_are_kept() -> None:
    quads = _read(N_QUADS, b"<a:s> <a:p> <a:o> <a:g> .\n<a:s> <a:p> _:b .\n")
    assert [quad[3] for quad in quads] == ["<a:g>", ""]
    assert quads[1][2].startswith("_:")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("turtle", "turtle"),
        ("ttl", "turtle"),
        ("TriG", "trig"),
        ("application/ld+json", "jsonld"),
        ("n-quads", "nq"),
        ("RDF/XML", "rdfxml"),
    ],
)
def test_formats_go_by_many_names(name: str, key: str) -> None:
    assert format_named(name).key == key


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(UnknownTermError) as error:
        format_named("turtel")
    assert error.value.suggestions == ("turtle",)
    with pytest.raises(UnknownTermError) as error:
        format_named("spreadsheet")
    assert len(error.value.suggestions) == len(FORMATS)


def test_media_types_with_parameters() -> None:
    assert format_of_media_type("Text/Turtle; charset=utf-8") is TURTLE
    with pytest.raises(UnsupportedMediaTypeError) as error:
        format_of_media_type("text/csv")
    assert "application/ld+json" in error.value.accepted


def test_suffixes_also_of_gzip() -> None:
    assert format_of_path(Path("a.b.TTL")) is TURTLE
    assert format_of_path(Path("a.jsonld.gz")) is JSON_LD
    for name in ("a", "a.gz", "a.csv"):
        with pytest.raises(UnknownTermError, match=r"\.trig"):
            format_of_path(Path(name))


def test_files_are_opened_also_when_zipped(tmp_path: Path) -> None:
    path = tmp_path / "a.ttl.gz"
    path.write_bytes(gzip.compress(b"<a:s> ") + gzip.compress(b"<a:p> <a:o> ."))
    assert len(list(read_rdf(open_file(path), SETTINGS))) == 1
    with pytest.raises(ParseError, match="No such file"):
        open_file(tmp_path / "absent.ttl")


@pytest.mark.parametrize("cut", [5, 12, -1, -8])
def test_damaged_gzip_is_refused(cut: int) -> None:
    with pytest.raises(ParseError, match="gzip"):
        _read(TURTLE, gzip.compress(b"<a:s> <a:p> <a:o> ." * 50)[:cut])


def test_uploads_are_bounded_as_sent_and_unpacked() -> None:
    small = Settings(upload_bytes=1_000, upload_inflated_bytes=50_000, upload_ratio=100)
    with pytest.raises(PayloadTooLargeError) as error:
        open_upload("sent", TURTLE, b" " * 1_001, small)
    assert (error.value.allowed, error.value.actual) == (1_000, 1_001)
    with pytest.raises(PayloadTooLargeError):  # too large unpacked
        open_upload("sent", TURTLE, gzip.compress(bytes(range(256)) * 200 + b"x"), small)
    with pytest.raises(PayloadTooLargeError):  # grows too much
        open_upload("sent", TURTLE, gzip.compress(b" " * 40_000), small)
    assert open_upload("sent", TURTLE, gzip.compress(b" " * 400), small).data == b" " * 400
