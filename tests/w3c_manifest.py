"""The manifests of the W3C's SPARQL 1.1 suites, read into cases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

import pyoxigraph as ox

#: Where the files of the suites are said to be; nothing is ever fetched from there.
BASE = "http://w3c.example/sparql11/"
MF = "http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#"
QT = "http://www.w3.org/2001/sw/DataAccess/tests/test-query#"
UT = "http://www.w3.org/2009/sparql/tests/test-update#"
HT = "http://www.w3.org/2011/http#"
CNT = "http://www.w3.org/2011/content#"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"

Node = ox.NamedNode | ox.BlankNode
Term = ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple

#: Folders of each suite.
QUERY = (
    "aggregates",
    "bind",
    "bindings",
    "cast",
    "construct",
    "exists",
    "functions",
    "grouping",
    "negation",
    "project-expression",
    "property-path",
    "subquery",
    "syntax-query",
)
UPDATE = (
    "add",
    "basic-update",
    "clear",
    "copy",
    "delete-data",
    "delete-insert",
    "delete-where",
    "delete",
    "drop",
    "move",
    "syntax-update-1",
    "syntax-update-2",
    "update-silent",
)
RESULTS = ("csv-tsv-res", "json-res")


@dataclass(frozen=True)
class Data:
    """Files to load: those of the default graph, and of each named graph by its IRI."""

    default: tuple[str, ...] = ()
    named: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Request:
    """One HTTP request of a protocol test, and what is expected of its answer."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    statuses: frozenset[str]
    boolean: bool | None
    format: str | None
    answer_headers: tuple[tuple[str, str], ...]
    answer_body: str | None


@dataclass(frozen=True)
class Case:
    """One test: `id` is folder and name, `kind` the local name of its class.

    `action` and `result` are file IRIs; `before` and `after` what is loaded and expected.
    """

    id: str
    kind: str
    action: str = ""
    result: str = ""
    before: Data = Data()
    after: Data = Data()
    requests: tuple[Request, ...] = field(default=())


class Suites:
    """The folder of the suites."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def text(self, iri: str) -> str:
        """Return the text of a file."""
        return self.path(iri).read_text(encoding="utf-8")

    def path(self, iri: str) -> Path:
        """Return the path of a file."""
        return self.folder / unquote(iri.removeprefix(BASE))

    def cases(self, name: str) -> Iterator[Case]:
        """Yield the cases of a manifest, `add` for example, in its order."""
        path = f"{name}/manifest.ttl" if "/" not in name else name
        iri = BASE + quote(path)
        manifest = _Manifest(self.path(iri).read_bytes(), iri)
        for entry in manifest.items(manifest.one(ox.NamedNode(iri), f"{MF}entries")):
            yield manifest.case(path.split("/")[0], entry)


class _Manifest:
    def __init__(self, data: bytes, iri: str) -> None:
        self.graph = ox.Store()
        self.graph.extend(ox.parse(data, format=ox.RdfFormat.TURTLE, base_iri=iri))

    def all(self, subject: Term | None, predicate: str) -> list[Term]:
        if not isinstance(subject, Node):
            return []
        name = ox.NamedNode(predicate)
        return [q.object for q in self.graph.quads_for_pattern(subject, name, None, None)]

    def one(self, subject: Term | None, predicate: str) -> Term | None:
        found = self.all(subject, predicate)
        assert len(found) < 2, (subject, predicate, found)
        return found[0] if found else None

    def text(self, subject: Term | None, predicate: str) -> str:
        found = self.one(subject, predicate)
        return "" if found is None or isinstance(found, ox.Triple) else found.value

    def items(self, head: Term | None) -> Iterator[Term]:
        while isinstance(head, Node) and head.value != f"{RDF}nil":
            first = self.one(head, f"{RDF}first")
            assert first is not None
            yield first
            head = self.one(head, f"{RDF}rest")

    def case(self, folder: str, entry: Term) -> Case:
        assert isinstance(entry, ox.NamedNode)
        identifier = f"{folder}/{entry.value.rpartition('#')[2]}"
        kind = self.text(entry, f"{RDF}type").removeprefix(MF)
        action, result = self.one(entry, f"{MF}action"), self.one(entry, f"{MF}result")
        if kind in ("ProtocolTest", "GraphStoreProtocolTest"):
            requests = self.items(self.one(action, f"{HT}requests"))
            before = self.data(entry, UT)
            return Case(
                identifier, kind, before=before, requests=tuple(map(self.request, requests))
            )
        if kind == "UpdateEvaluationTest":
            text = self.text(action, f"{UT}request")
            before, after = self.data(action, UT), self.data(result, UT)
            return Case(identifier, kind, text, before=before, after=after)
        if isinstance(action, ox.NamedNode):
            return Case(identifier, kind, action.value)
        text, answer = self.text(action, f"{QT}query"), result
        assert isinstance(answer, ox.NamedNode | None)
        expected = "" if answer is None else answer.value
        return Case(identifier, kind, text, expected, self.data(action, QT))

    def data(self, node: Term | None, vocabulary: str) -> Data:
        default = [d.value for d in self.all(node, f"{vocabulary}data") if isinstance(d, Node)]
        named = []
        for graph in self.all(node, f"{vocabulary}graphData"):
            file = self.text(graph, f"{vocabulary}graph")
            if file:
                named.append((self.text(graph, f"{RDFS}label"), file))
            elif isinstance(graph, ox.NamedNode):
                named.append((graph.value, graph.value))
        return Data(tuple(sorted(default)), tuple(sorted(named)))

    def request(self, node: Term) -> Request:
        response = self.one(node, f"{HT}resp")
        body = self.one(node, f"{HT}body")
        encoding = self.text(body, f"{CNT}characterEncoding") or "UTF-8"
        boolean = self.text(response, f"{MF}expectedBoolean")
        answer = self.one(response, f"{HT}body")
        return Request(
            method=self.text(node, f"{HT}methodName"),
            path=self.text(node, f"{HT}absolutePath"),
            headers=tuple(self.headers(node)),
            body=None if body is None else self.text(body, f"{CNT}chars").encode(encoding),
            statuses=frozenset(
                status.value.rpartition("#")[2]
                for status in self.all(response, f"{MF}expectedStatus")
                if isinstance(status, ox.NamedNode)
            ),
            boolean=None if boolean == "" else boolean == "true",
            format=self.text(response, f"{MF}expectedFormat") or None,
            answer_headers=tuple(self.headers(response)),
            answer_body=None if answer is None else self.text(answer, f"{CNT}chars"),
        )

    def headers(self, node: Term | None) -> Iterator[tuple[str, str]]:
        for header in self.items(self.one(node, f"{HT}headers")):
            name, value = (self.text(header, f"{HT}field{part}") for part in ("Name", "Value"))
            yield name.lower(), value
