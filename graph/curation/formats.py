"""The RDF formats that are read and written: names, media types, suffixes, and how to read them.

Floor 2. One table for negotiation, uploads, the command line and the docs. Untrusted bytes are
parsed in a process of their own; what comes back are quads as N-Triples texts.
"""

from __future__ import annotations

import difflib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyoxigraph

from graph.errors import (
    ParseError,
    PayloadTooLargeError,
    UnknownTermError,
    UnsupportedMediaTypeError,
)
from graph.settings import Settings
from graph.store.reading import parse_rdf
from graph.terms import Quad

_GZIP: Final = 31
_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Format:
    """One RDF format; `key` names it in commands, `is_dataset` tells whether it holds graphs.

    The first media type and suffix are those that are written.
    """

    key: str
    label: str
    media_types: tuple[str, ...]
    suffixes: tuple[str, ...]
    is_dataset: bool

    @property
    def media_type(self) -> str:
        """The media type that is written."""
        return self.media_types[0]


TURTLE: Final = Format(
    "turtle", "Turtle", ("text/turtle", "application/x-turtle"), (".ttl",), False
)
TRIG: Final = Format("trig", "TriG", ("application/trig", "application/x-trig"), (".trig",), True)
N_TRIPLES: Final = Format("nt", "N-Triples", ("application/n-triples",), (".nt",), False)
N_QUADS: Final = Format("nq", "N-Quads", ("application/n-quads", "text/x-nquads"), (".nq",), True)
JSON_LD: Final = Format("jsonld", "JSON-LD", ("application/ld+json",), (".jsonld", ".json"), True)
RDF_XML: Final = Format(
    "rdfxml", "RDF/XML", ("application/rdf+xml",), (".rdf", ".owl", ".xml"), False
)

#: Every format that is read, in the order in which they are offered.
FORMATS: Final = (TRIG, TURTLE, N_QUADS, N_TRIPLES, JSON_LD, RDF_XML)


@dataclass(frozen=True, slots=True)
class Upload:
    """Bytes to read: `name` for messages (a file name), the format, and the bytes, unpacked."""

    name: str
    format: Format
    data: bytes


def format_named(name: str) -> Format:
    """Return the format with a key, label, suffix or media type.

    Raises
    ------
    UnknownTermError
        No format has that name.

    Examples
    --------
    >>> format_named("ttl").key
    'turtle'
    """
    wanted = name.strip().lower()
    for known in FORMATS:
        suffixes = {suffix[1:] for suffix in known.suffixes}
        if wanted in {known.key, known.label.lower(), *suffixes, *known.media_types}:
            return known
    keys = [known.key for known in FORMATS]
    near = difflib.get_close_matches(wanted, keys, n=3) or keys
    raise UnknownTermError("format", name, tuple(near))


def format_of_media_type(content_type: str) -> Format:
    """Return the format of a Content-Type header; parameters such as charset are passed over.

    Raises
    ------
    UnsupportedMediaTypeError
        It is not the media type of an RDF format.
    """
    wanted = content_type.partition(";")[0].strip().lower()
    for known in FORMATS:
        if wanted in known.media_types:
            return known
    accepted = tuple(known.media_type for known in FORMATS)
    raise UnsupportedMediaTypeError(given=content_type, accepted=accepted)


def format_of_path(path: Path) -> Format:
    """Return the format of a file name, also when it ends in `.gz`.

    Raises
    ------
    UnknownTermError
        The suffix belongs to no format.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    for known in FORMATS:
        if suffixes and suffixes[-1] in known.suffixes:
            return known
    offered = tuple(known.suffixes[0] for known in FORMATS)
    raise UnknownTermError("suffix", path.name, offered)


def open_upload(name: str, format: Format, data: bytes, settings: Settings) -> Upload:
    """Return what a stranger sent, unpacked when it is gzip, within the limits of uploads.

    Raises
    ------
    PayloadTooLargeError
        It is larger than allowed, as sent or unpacked, or grows suspiciously.
    ParseError
        It begins like gzip and is not.
    """
    if len(data) > settings.upload_bytes:
        raise PayloadTooLargeError("upload_bytes", settings.upload_bytes, len(data), name)
    return Upload(name, format, _unpack(name, format, data, settings))


def open_file(path: Path, format: Format | None = None) -> Upload:
    """Return a file of the operator's own machine; the limits of uploads do not hold for it.

    Raises
    ------
    UnknownTermError
        No format was given and the suffix belongs to none.
    ParseError
        The file cannot be read, or begins like gzip and is not.
    """
    chosen = format or format_of_path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ParseError(str(path), chosen.label, error.strerror or str(error)) from error
    return Upload(str(path), chosen, _unpack(str(path), chosen, data, None))


def read_rdf(upload: Upload, settings: Settings, base: str | None = None) -> Iterator[Quad]:
    """Yield the quads of an upload, parsed in a process of its own without network.

    N-Triples texts, the default graph as an empty text; blank nodes still are `_:label`, and
    nothing is normalised yet. An error may come after some quads.

    Raises
    ------
    ParseError
        The bytes are not well formed; with line and column where the parser knows them.
    PayloadTooLargeError
        They are nested too deeply, or take too long or too much memory to read.
    StoreUnavailableError
        The process could not be started.

    Cost: 0.1 s for the process, then about 6 microseconds a quad.
    """
    try:
        yield from parse_rdf(upload.data, upload.format.key, base, settings, upload.name)
    except ParseError as error:
        error.format = upload.format.label
        raise


def read_own(upload: Upload) -> Iterator[Quad]:
    """Yield the quads of a file that comes with this program, parsed here and now.

    Raises
    ------
    ParseError
        The file is not well formed.
    """
    try:
        for quad in pyoxigraph.parse(upload.data, format=_ENGINE[upload.format.key]):
            graph = quad.graph_name
            named = "" if isinstance(graph, pyoxigraph.DefaultGraph) else str(graph)
            yield str(quad.subject), str(quad.predicate), str(quad.object), named
    except SyntaxError as error:
        raise ParseError(
            upload.name, upload.format.label, error.msg, error.lineno, error.offset
        ) from error


_ENGINE: Final = {
    TURTLE.key: pyoxigraph.RdfFormat.TURTLE,
    TRIG.key: pyoxigraph.RdfFormat.TRIG,
    N_TRIPLES.key: pyoxigraph.RdfFormat.N_TRIPLES,
    N_QUADS.key: pyoxigraph.RdfFormat.N_QUADS,
    JSON_LD.key: pyoxigraph.RdfFormat.JSON_LD,
    RDF_XML.key: pyoxigraph.RdfFormat.RDF_XML,
}


def _unpack(name: str, format: Format, data: bytes, limits: Settings | None) -> bytes:
    """Return the bytes of gzip, a piece at a time so that a bomb is met while it is small."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    allowed = None
    if limits is not None:
        allowed = min(limits.upload_inflated_bytes, limits.upload_ratio * len(data))
    unpacked = bytearray()
    rest = data
    while rest:
        packer = zlib.decompressobj(_GZIP)
        try:
            while rest and not packer.eof:
                unpacked += packer.decompress(rest, _CHUNK)
                rest = packer.unconsumed_tail
                if allowed is not None and len(unpacked) > allowed:
                    raise PayloadTooLargeError("upload_inflated_bytes", allowed, None, name)
        except zlib.error as error:
            raise ParseError(name, format.label, f"not gzip: {error}") from error
        if not packer.eof:
            raise ParseError(name, format.label, "the gzip data ends too early")
        rest = packer.unused_data
    return bytes(unpacked)
