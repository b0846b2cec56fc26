"""Results of queries as bytes: JSON, XML, CSV and TSV tables, Turtle and N-Triples graphs.

Floor 1. It runs in the workers; of ours it imports its neighbour alone. The
engine's own writers know no limit of rows; these do, and say when they cut (decision 0013).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring as quote
from typing import Final

import pyoxigraph as ox

from graph.store.graph_formats import write_json_ld, write_rdf_xml

#: In the head of JSON and XML results that were cut; SPARQL's own place for further information.
TRUNCATED_LINK: Final = "https://w3id.org/rhizome/sparql#truncated"

Term = ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple

_STRING: Final = "http://www.w3.org/2001/XMLSchema#string"
_RESULTS: Final = "http://www.w3.org/2005/sparql-results#"
_ITS: Final = "http://www.w3.org/2005/11/its"
_BOOLEANS: Final = {
    "json": ox.QueryResultsFormat.JSON,
    "xml": ox.QueryResultsFormat.XML,
    "csv": ox.QueryResultsFormat.CSV,
    "tsv": ox.QueryResultsFormat.TSV,
}
# XML 1.0 has no way to write these; every other control character is written by reference.
_NOT_XML: Final = [*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF]
_XML_ESCAPES: Final = {
    **dict.fromkeys(_NOT_XML, "\ufffd"),
    **{ord(c): f"&#{ord(c)};" for c in "\r\x7f"},
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord('"'): "&quot;",
}
_KIND: Final = re.compile(r"https://w3id\.org/rhizome/id/([a-z]+(?:-[a-z]+)*)/")
# Space, dot and line feed after a triple in N-Triples.
_LINE_END: Final = 3
_CSV_SPECIAL: Final = re.compile('[",\r\n]')


class AnswerTooLargeError(Exception):
    """Not even the first row, or the smallest part, fits the bytes of an answer."""


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of a result, how many rows or triples they hold, and whether some were cut."""

    pieces: list[bytes]
    rows: int
    is_truncated: bool


@dataclass(frozen=True, slots=True)
class _Table:
    """One format of tables: a cell of a variable, a row of cells, and what stands around rows."""

    cell: Callable[[str, Term], str]
    row: Callable[[list[str | None]], str]
    between: str
    head: Callable[[list[str], bool], str]
    foot: str


def write_boolean(answer: ox.QueryBoolean, format: str) -> Body:
    """Return the answer to an ASK."""
    written = answer.serialize(format=_BOOLEANS[format])
    assert written is not None
    return Body([written], 1, False)


def write_table(solutions: ox.QuerySolutions, format: str, rows_max: int, bytes_max: int) -> Body:
    """Return the solutions of a SELECT, at most so many rows and bytes.

    Parameters
    ----------
    solutions : QuerySolutions
    format : str
        `json`, `xml`, `csv` or `tsv`.
    rows_max, bytes_max : int
        Where to cut; what stands around the rows counts, too.

    Raises
    ------
    AnswerTooLargeError
        The first row alone is larger.
    """
    table = _TABLES[format]
    variables = [variable.value for variable in solutions.variables]
    # The same term comes in many rows: it is written once.
    written: list[dict[Term, str]] = [{} for _ in variables]
    pieces: list[bytes] = []
    size, is_truncated = len(table.head(variables, True).encode()) + len(table.foot), False
    for solution in solutions:
        # What is too long as it stands need not be written, nor written in vain be kept.
        is_truncated = len(pieces) == rows_max or size + _measure(solution) > bytes_max
        if is_truncated:
            break
        cells: list[str | None] = []
        for variable, cache, term in zip(variables, written, solution, strict=True):
            cell = None
            if term is not None:
                cell = cache.get(term)
                if cell is None:
                    cell = cache[term] = table.cell(variable, term)
            cells.append(cell)
        row = ((table.between if pieces else "") + table.row(cells)).encode()
        size += len(row)
        is_truncated = size > bytes_max
        if is_truncated:
            break
        pieces.append(row)
    count = len(pieces)
    if is_truncated and count == 0:
        raise AnswerTooLargeError
    pieces.insert(0, table.head(variables, is_truncated).encode())
    pieces.append(table.foot.encode())
    return Body(pieces, count, is_truncated)


def write_graph(
    triples: Iterable[ox.Triple],
    format: str,
    rows_max: int,
    bytes_max: int,
    prefixes: Mapping[str, str],
) -> Body:
    """Return the triples of a CONSTRUCT or DESCRIBE, at most so many, each once.

    Parameters
    ----------
    triples : iterable of Triple
    format : str
        `turtle`, `nt`, `rdfxml` or `jsonld`.
    rows_max, bytes_max : int
        Where to cut.
    prefixes : Mapping[str, str]
        Namespace by prefix, for all but N-Triples; those that no triple needs are left out.

    Raises
    ------
    AnswerTooLargeError
        The first triple alone is larger, or RDF/XML and JSON-LD are for all their tags.
    UnwritableError
        RDF/XML or JSON-LD cannot say it.
    """
    distinct: dict[ox.Triple, None] = {}
    is_truncated, size = False, 0
    for triple in triples:
        if triple in distinct:
            continue
        if _measure(triple) <= bytes_max:
            size += len(str(triple).encode()) + _LINE_END
        else:
            size = bytes_max + 1
        is_truncated = len(distinct) == rows_max or size > bytes_max
        if is_truncated:
            break
        distinct[triple] = None
    if is_truncated and not distinct:
        raise AnswerTooLargeError
    written = _write_triples(list(distinct), format, prefixes)
    if len(written) > bytes_max:  # by its prefixes or tags
        if format != "turtle":
            raise AnswerTooLargeError
        written = _write_triples(list(distinct), "nt", prefixes)  # which are Turtle, too
    return Body([written], len(distinct), is_truncated)


def _write_triples(triples: list[ox.Triple], format: str, prefixes: Mapping[str, str]) -> bytes:
    """Return all the triples in a format, those of a subject together but in N-Triples."""
    if format == "nt":
        written = ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES)
        assert written is not None
        return written
    by_subject: dict[Term, list[ox.Triple]] = {}
    for triple in triples:
        by_subject.setdefault(triple.subject, []).append(triple)
    grouped = [triple for group in by_subject.values() for triple in group]
    used = _used_prefixes(triples, prefixes)
    if format == "jsonld":
        return write_json_ld(grouped, used)
    if format == "rdfxml":
        return write_rdf_xml(grouped, used)
    written = ox.serialize(grouped, format=ox.RdfFormat.TURTLE, prefixes=used)
    assert written is not None
    return written


def _measure(terms: Iterable[Term | None]) -> int:
    """The least number of bytes that some terms take, without writing them."""
    size = 0
    for term in terms:
        if isinstance(term, ox.Triple):
            size += _measure(term)
        elif term is not None:
            size += len(term.value)
    return size


def _used_prefixes(triples: Iterable[ox.Triple], prefixes: Mapping[str, str]) -> dict[str, str]:
    """The prefixes of namespaces that are there, and one for each kind of entity."""
    namespaces: set[str] = set()
    for triple in triples:
        for term in triple:
            iri = term.value if isinstance(term, ox.NamedNode) else None
            if isinstance(term, ox.Literal):
                iri = term.datatype.value
            if iri is not None:
                namespaces.add(iri[: max(iri.rfind("#"), iri.rfind("/")) + 1])
    used = {prefix: iri for prefix, iri in prefixes.items() if iri in namespaces}
    for kind in sorted(filter(None, map(_KIND.fullmatch, namespaces)), key=str):
        used.setdefault(kind[1], kind[0])
    return used


def _json_term(term: Term) -> str:
    match term:
        case ox.NamedNode():
            return f'{{"type":"uri","value":{quote(term.value)}}}'
        case ox.BlankNode():
            return f'{{"type":"bnode","value":{quote(term.value)}}}'
        case ox.Literal():
            extra = ""
            if term.language is not None:
                extra = f',"xml:lang":{quote(term.language)}'
                if term.direction is not None:
                    extra += f',"its:dir":{quote(str(term.direction))}'
            elif term.datatype.value != _STRING:
                extra = f',"datatype":{quote(term.datatype.value)}'
            return f'{{"type":"literal","value":{quote(term.value)}{extra}}}'
        case ox.Triple():
            names = ("subject", "predicate", "object")
            parts = ",".join(f'"{n}":{_json_term(t)}' for n, t in zip(names, term, strict=True))
            return f'{{"type":"triple","value":{{{parts}}}}}'


def _json_cell(variable: str, term: Term) -> str:
    return f"{quote(variable)}:{_json_term(term)}"


def _json_row(cells: list[str | None]) -> str:
    return "{" + ",".join(filter(None, cells)) + "}"


def _json_head(variables: list[str], is_truncated: bool) -> str:
    names = ",".join(map(quote, variables))
    link = f',"link":[{quote(TRUNCATED_LINK)}]' if is_truncated else ""
    return f'{{"head":{{"vars":[{names}]{link}}},"results":{{"bindings":['


def _xml_term(term: Term) -> str:
    match term:
        case ox.NamedNode():
            return f"<uri>{_xml(term.value)}</uri>"
        case ox.BlankNode():
            return f"<bnode>{_xml(term.value)}</bnode>"
        case ox.Literal():
            extra = ""
            if term.language is not None:
                extra = f' xml:lang="{_xml(term.language)}"'
                if term.direction is not None:
                    extra += f' its:dir="{term.direction}" xmlns:its="{_ITS}" its:version="2.0"'
            elif term.datatype.value != _STRING:
                extra = f' datatype="{_xml(term.datatype.value)}"'
            return f"<literal{extra}>{_xml(term.value)}</literal>"
        case ox.Triple():
            names = ("subject", "predicate", "object")
            parts = (f"<{n}>{_xml_term(t)}</{n}>" for n, t in zip(names, term, strict=True))
            return f"<triple>{''.join(parts)}</triple>"


def _xml_cell(variable: str, term: Term) -> str:
    return f'<binding name="{_xml(variable)}">{_xml_term(term)}</binding>'


def _xml_row(cells: list[str | None]) -> str:
    return f"<result>{''.join(filter(None, cells))}</result>"


def _xml_head(variables: list[str], is_truncated: bool) -> str:
    names = "".join(f'<variable name="{_xml(name)}"/>' for name in variables)
    link = f'<link href="{TRUNCATED_LINK}"/>' if is_truncated else ""
    return f'<?xml version="1.0"?>\n<sparql xmlns="{_RESULTS}"><head>{names}{link}</head><results>'


def _xml(text: str) -> str:
    return text.translate(_XML_ESCAPES)


def _csv_cell(_variable: str, term: Term) -> str:
    text = _plain(term)
    return '"' + text.replace('"', '""') + '"' if _CSV_SPECIAL.search(text) else text


def _plain(term: Term) -> str:
    if isinstance(term, ox.Triple):
        return " ".join(map(_plain, term))
    return f"_:{term.value}" if isinstance(term, ox.BlankNode) else term.value


def _tsv_cell(_variable: str, term: Term) -> str:
    return _as_turtle(term)


def _as_turtle(term: Term) -> str:
    if isinstance(term, ox.Triple):
        return f"<<( {' '.join(map(_as_turtle, term))} )>>"
    return str(term)


_TABLES: Final[Mapping[str, _Table]] = {
    "json": _Table(_json_cell, _json_row, ",", _json_head, "]}}"),
    "xml": _Table(_xml_cell, _xml_row, "", _xml_head, "</results></sparql>"),
    "csv": _Table(
        _csv_cell,
        lambda cells: ",".join(cell or "" for cell in cells) + "\r\n",
        "",
        lambda names, _: ",".join(names) + "\r\n",
        "",
    ),
    "tsv": _Table(
        _tsv_cell,
        lambda cells: "\t".join(cell or "" for cell in cells) + "\n",
        "",
        lambda names, _: "\t".join(f"?{name}" for name in names) + "\n",
        "",
    ),
}
