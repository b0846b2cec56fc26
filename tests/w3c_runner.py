"""Runs cases of the W3C's suites against a bare server over HTTP, and says what is wrong."""

from __future__ import annotations

import csv
import http.client
import io
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote, urljoin, urlsplit

import pyoxigraph as ox

from tests.w3c_manifest import BASE, Case, Data, Request, Suites, Term

AUTHORITY = "www.example"
SD = "http://www.w3.org/ns/sparql-service-description#"
RS = "http://www.w3.org/2001/sw/DataAccess/tests/result-set#"
_TYPES = {
    "srx": "application/sparql-results+xml",
    "srj": "application/sparql-results+json",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "ttl": "text/turtle",
    "rdf": "application/rdf+xml",
}
_BOOLEAN = frozenset({_TYPES["srj"], _TYPES["srx"]})
_TABULAR = _BOOLEAN | {_TYPES["csv"], _TYPES["tsv"]}
_RDF = frozenset({"text/turtle", "application/n-triples", "application/rdf+xml"})
_STATUS = {"OK": 200, "Created": 201, "NoContent": 204, "NotFound": 404}
_GRAPHS = "SELECT ?g { GRAPH ?g {} }"
_ALL = "SELECT ?s ?p ?o ?g { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }"

Row = frozenset[tuple[str, Term]]


@dataclass(frozen=True)
class Table:
    """A result of SELECT: its variables, and its rows."""

    names: frozenset[str]
    rows: list[Row]


class Wrong(AssertionError):
    """What a case expected and did not get."""


@dataclass(frozen=True)
class Answer:
    """Status, headers in lower case, and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """Media type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip()


class Runner:
    """A connection to a bare server at an address, whose data every case exchanges.

    `by_text` are the cases whose text was judged right by an answer that does not do it: a fetch
    that is refused, or a graph or function that is not there.
    """

    def __init__(self, address: str, suites: Suites) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
        self.suites = suites
        self.loaded: Data | None = None
        self.by_text: set[str] = set()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def run(self, case: Case) -> str | None:
        """Return what is wrong with the answers to a case, None when nothing is."""
        try:
            match case.kind:
                case "QueryEvaluationTest" | "CSVResultFormatTest":
                    self.query(case)
                case "UpdateEvaluationTest":
                    self.update(case)
                case "ProtocolTest" | "GraphStoreProtocolTest":
                    self.exchange(case)
                case "ServiceDescriptionTest":
                    self.describe(case)
                case _:
                    self.parse(case)
        except Wrong as wrong:
            return str(wrong)
        return None

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send a request as it stands."""
        named = {"Host": AUTHORITY, **{k.replace("_", "-"): v for k, v in headers.items()}}
        self.connection.request(method, path, body, named)
        response = self.connection.getresponse()
        sent = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, sent, response.read())

    def send(self, text: str, *, is_update: bool = False, accept: str = "*/*") -> Answer:
        """Post a query or an update."""
        kind = "update" if is_update else "query"
        content_type = f"application/sparql-{kind}"
        return self.ask("POST", "/sparql", text.encode(), Content_Type=content_type, Accept=accept)

    # --- query and update ---------------------------------------------------------------------

    def load(self, data: Data) -> None:
        """Exchange the server's data."""
        if data == self.loaded:
            return
        groups = [" ".join(map(self.triples, data.default))]
        groups += [f"GRAPH <{iri}> {{ {self.triples(file)} }}" for iri, file in data.named]
        # Also a graph without triples is there.
        groups = [f"DROP ALL ; INSERT DATA {{ {' '.join(groups)} }}"]
        groups += [f"CREATE SILENT GRAPH <{iri}>" for iri, _ in data.named]
        answer = self.send(" ; ".join(groups), is_update=True)
        assert answer.status == 204, answer
        self.loaded = data

    def triples(self, file: str) -> str:
        """Return a file's triples as N-Triples."""
        return "".join(f"{triple} .\n" for triple in read_file(self.suites, file))

    def query(self, case: Case) -> None:
        """Ask and compare."""
        self.load(case.before)
        ending = case.result.rpartition(".")[2]
        text = f"BASE <{case.action}>\n{self.suites.text(case.action)}"
        accept = _TYPES[ending] if ending not in ("ttl", "rdf") else f"{_TYPES['srj']}, text/turtle"
        answer = self.send(text, accept=accept)
        if answer.status != 200:
            raise Wrong(f"status {answer.status}: {answer.body[:200]!r}")
        expected = self.suites.path(case.result).read_bytes()
        if RS.encode() in expected:
            same_table(read_table(answer.body, "srj"), read_result_set(expected, case.result))
        elif ending in ("ttl", "rdf"):
            found = read_triples(answer.body, "ttl", case.action)
            wanted = read_triples(expected, ending, case.result)
            same(map(str, canonical(found)), map(str, canonical(wanted)))
        else:
            same_table(read_table(answer.body, ending), read_table(expected, ending))

    def update(self, case: Case) -> None:
        """Update and compare the whole dataset."""
        self.load(case.before)
        self.loaded = None
        text = f"BASE <{case.action}>\n{self.suites.text(case.action)}"
        answer = self.send(text, is_update=True)
        if answer.status != 204:
            raise Wrong(f"status {answer.status}: {answer.body[:200]!r}")
        found = []
        for row in self.rows(_ALL):
            terms = dict(row)
            graph = terms.get("g", ox.DefaultGraph())
            found.append(ox.Quad(terms["s"], terms["p"], terms["o"], graph))  # type: ignore[arg-type]
        graphs = [("", file) for file in case.after.default] + list(case.after.named)
        wanted = []
        for iri, file in graphs:
            target = ox.NamedNode(iri) if iri else ox.DefaultGraph()
            for quad in read_file(self.suites, file):
                wanted += [ox.Quad(quad.subject, quad.predicate, quad.object, target)]
        same(map(str, canonical(found)), map(str, canonical(wanted)))
        # A graph that is emptied stays; the suites say so of each, by a file without triples.
        same(
            (str(term) for row in self.rows(_GRAPHS) for _, term in row),
            (f"<{iri}>" for iri, _ in case.after.named),
        )

    def rows(self, text: str) -> list[Row]:
        """Return the rows of a query."""
        table = read_table(self.send(text, accept=_TYPES["srj"]).body, "srj")
        assert isinstance(table, Table)
        return table.rows

    def parse(self, case: Case) -> None:
        """Send a text that is well formed, or not: then the status is 400."""
        is_update = case.action.endswith(".ru")
        if is_update:
            self.loaded = None
        text = self.suites.text(case.action)
        answer = self.send(text, is_update=is_update)
        # The whole text is read before LOAD is refused, or what names graphs that are not there.
        is_load = b"LOAD" in answer.body and re.search(r"\bLOAD\b", text, re.IGNORECASE) is not None
        is_absent = b'"UNKNOWN_TERM"' in answer.body or b'"NOT_FOUND"' in answer.body
        is_by_text = is_absent or (is_load and answer.status == 403)
        is_read = answer.status in (200, 204) or is_by_text
        is_refused = answer.status == 400 and b'"QUERY_SYNTAX"' in answer.body
        if not (is_read if case.kind.startswith("Positive") else is_refused):
            raise Wrong(f"status {answer.status}: {answer.body[:300]!r}")
        if is_by_text:
            self.by_text.add(case.id)

    # --- protocols ----------------------------------------------------------------------------

    def exchange(self, case: Case) -> None:
        """Send the requests of a protocol test, one after the other."""
        self.loaded = None
        self.load(case.before)
        location = ""
        for number, request in enumerate(case.requests, 1):
            path = request.path.replace("/sparql/", "/sparql", 1)
            if case.kind == "GraphStoreProtocolTest":
                path = path.replace("/gsp", "/graphs", 1).replace("$LOCATION$", quote(location))
            headers = dict(request.headers)
            answer = self.ask(request.method, path, request.body, **headers)
            if "location" in answer.headers:
                location = urljoin(f"http://{AUTHORITY}{path}", answer.headers["location"])
            try:
                expect(request, answer)
            except Wrong as wrong:
                raise Wrong(f"request {number}: {wrong}") from None

    def describe(self, case: Case) -> None:
        """Look at the service description."""
        answer = self.ask("GET", "/sparql", Accept="text/turtle, application/rdf+xml;q=0.5")
        if answer.status != 200 or answer.media_type not in _RDF:
            raise Wrong(f"status {answer.status}, {answer.media_type}")
        triples = list(ox.parse(answer.body, format=ox.RdfFormat.TURTLE))
        if case.id.endswith("has-endpoint-triple"):
            endpoints = [q.object for q in triples if q.predicate.value == f"{SD}endpoint"]
            if endpoints != [ox.NamedNode(f"http://{AUTHORITY}/sparql")]:
                raise Wrong(f"endpoints {endpoints}")
        elif case.id.endswith("conforms-to-schema"):
            for fault in find_schema_faults(triples):
                raise Wrong(fault)
        elif not triples:
            raise Wrong("no triples")


def expect(request: Request, answer: Answer) -> None:
    """Compare an answer with what a protocol test expects."""
    ranges = {f"StatusCode{n}xx": range(n * 100, n * 100 + 100) for n in range(1, 6)}
    if not any(
        answer.status in ranges[name] if name in ranges else answer.status == _STATUS[name]
        for name in request.statuses
    ):
        raise Wrong(f"status {answer.status}, expected {sorted(request.statuses)}: {answer.body!r}")
    offered = {"boolean": _BOOLEAN, "tabular": _TABULAR, "RDF": _RDF}
    if request.format is not None and answer.media_type not in offered[request.format]:
        raise Wrong(f"media type {answer.media_type}, expected {request.format}")
    if request.boolean is not None:
        ending = next(e for e, kind in _TYPES.items() if kind == answer.media_type)
        if read_table(answer.body, ending) is not request.boolean:
            raise Wrong(f"expected {request.boolean}: {answer.body!r}")
    for name, value in request.answer_headers:
        if answer.headers.get(name) != value:
            raise Wrong(f"{name}: {answer.headers.get(name)}, expected {value}")
    if request.answer_body is not None:
        found = read_triples(answer.body, "ttl", BASE)
        wanted = read_triples(request.answer_body.encode(), "ttl", BASE)
        same(map(str, canonical(found)), map(str, canonical(wanted)))


def find_schema_faults(triples: list[ox.Quad]) -> Iterable[str]:
    """Yield what a description says against the vocabulary's own domains and ranges."""
    types: dict[Term, set[str]] = {}
    for quad in triples:
        if quad.predicate.value.endswith("#type"):
            types.setdefault(quad.subject, set()).add(quad.object.value.removeprefix(SD))  # type: ignore[union-attr]
    domains = {
        "endpoint": ("Service", None),
        "supportedLanguage": ("Service", "SPARQL10Query SPARQL11Query SPARQL11Update"),
        "feature": (
            "Service",
            "DereferencesURIs UnionDefaultGraph RequiresDataset EmptyGraphs BasicFederatedQuery",
        ),
        "resultFormat": ("Service", None),
        "inputFormat": ("Service", None),
        "defaultEntailmentRegime": ("Service", None),
        "defaultDataset": ("Service", "@Dataset"),
        "defaultGraph": ("Dataset", "@Graph"),
    }
    if sum("Service" in kinds for kinds in types.values()) != 1:
        yield "not one sd:Service"
    for quad in triples:
        if not quad.predicate.value.startswith(SD):
            continue
        name = quad.predicate.value.removeprefix(SD)
        if name not in domains:
            yield f"sd:{name} is no property of the vocabulary that is known here"
            continue
        domain, values = domains[name]
        if domain not in types.get(quad.subject, set()):
            yield f"sd:{name} of something that is no sd:{domain}"
        if values is not None and values.startswith("@"):
            if values[1:] not in types.get(quad.object, set()):
                yield f"sd:{name} is no sd:{values[1:]}"
        elif not isinstance(quad.object, ox.NamedNode):
            yield f"sd:{name} is no IRI"
        elif values is not None and quad.object.value.removeprefix(SD) not in values.split():
            yield f"sd:{name} has the unknown value {quad.object}"


# --- comparing --------------------------------------------------------------------------------


def same(found: Iterable[str], wanted: Iterable[str]) -> None:
    """Compare two multisets."""
    have, want = Counter(found), Counter(wanted)
    if have != want:
        raise Wrong(f"too much: {list(have - want)[:5]}; missing: {list(want - have)[:5]}")


def same_table(found: bool | Table, wanted: bool | Table) -> None:
    """Compare two results, blank nodes up to their names; the order of variables says nothing."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        if found is not wanted:
            raise Wrong(f"{found}, expected {wanted}")
        return
    if found.names != wanted.names:
        raise Wrong(f"variables {sorted(found.names)}, expected {sorted(wanted.names)}")
    same(flatten(found.rows), flatten(wanted.rows))


def flatten(rows: list[Row]) -> list[str]:
    """Return rows as texts; those with blank nodes as the quads of a canonical graph."""
    texts: list[str] = []
    quads: list[ox.Quad] = []
    for row in rows:
        if not any(isinstance(term, ox.BlankNode) for _, term in row):
            texts.append(" ".join(sorted(f"{name}={term}" for name, term in row)))
            continue
        node = ox.BlankNode()
        for name, term in row:
            quads.append(ox.Quad(node, ox.NamedNode(f"urn:x-variable:{name}"), term))
    return texts + [str(quad) for quad in canonical(quads)]


def canonical(quads: Iterable[ox.Quad]) -> ox.Dataset:
    """Return quads with canonical names of blank nodes (RDFC-1.0)."""
    dataset = ox.Dataset(quads)
    dataset.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
    return dataset


def read_triples(data: bytes, ending: str, base: str) -> list[ox.Quad]:
    """Return the triples of a text with literals as a store keeps them."""
    format = ox.RdfFormat.RDF_XML if ending == "rdf" else ox.RdfFormat.TURTLE
    quads = ox.parse(data, format=format, base_iri=base, rename_blank_nodes=True)
    return list(keep(quads))


@cache
def read_file(suites: Suites, iri: str) -> list[ox.Quad]:
    """Return the triples of a file."""
    ending = iri.rpartition(".")[2]
    return read_triples(suites.path(iri).read_bytes(), ending, iri)


def read_table(data: bytes, ending: str) -> bool | Table:
    """Return a result: a table, or the answer to ASK."""
    if ending == "csv":
        return read_csv(data.decode())
    formats = {
        "srx": ox.QueryResultsFormat.XML,
        "srj": ox.QueryResultsFormat.JSON,
        "tsv": ox.QueryResultsFormat.TSV,
    }
    result = ox.parse_query_results(data, format=formats[ending])
    if isinstance(result, ox.QueryBoolean):
        return bool(result)
    names = [variable.value for variable in result.variables]
    rows = []
    for solution in result:
        pairs = zip(names, solution, strict=True)
        rows.append(frozenset((n, keep_term(t)) for n, t in pairs if t is not None))
    return Table(frozenset(names), rows)


def read_result_set(data: bytes, iri: str) -> Table:
    """Return a result that is written as RDF."""
    graph = ox.Store()
    graph.extend(read_triples(data, iri.rpartition(".")[2], iri))
    query = f"""PREFIX rs: <{RS}> SELECT ?row ?name ?value {{
        ?set rs:solution ?row OPTIONAL {{ ?row rs:binding [ rs:variable ?name ; rs:value ?value ] }}
    }}"""
    rows: dict[Term, set[tuple[str, Term]]] = {}
    found = graph.query(query)
    assert isinstance(found, ox.QuerySolutions)
    for row, name, value in found:
        pairs = rows.setdefault(row, set())
        if name is not None:
            pairs.add((name.value, value))
    named = graph.quads_for_pattern(None, ox.NamedNode(f"{RS}resultVariable"), None)
    names = frozenset(quad.object.value for quad in named)  # type: ignore[union-attr]
    return Table(names, [frozenset(pairs) for pairs in rows.values()])


def read_csv(text: str) -> Table:
    """Return a table of CSV, whose cells are texts but for blank nodes."""
    names, *lines = csv.reader(io.StringIO(text, newline=""))

    def cell(value: str) -> Term:
        return ox.BlankNode(value[2:]) if re.fullmatch(r"_:\w+", value) else ox.Literal(value)

    rows = [
        frozenset((name, cell(value)) for name, value in zip(names, line, strict=True) if value)
        for line in lines
    ]
    return Table(frozenset(names), rows)


def keep(quads: Iterable[ox.Quad]) -> Iterable[ox.Quad]:
    """Return quads as a store gives them back: it rewrites numbers, dates and languages."""
    store = ox.Store()
    store.extend(quads)
    return store


@cache
def keep_term(term: Term) -> Term:
    """Return a term as a store gives it back."""
    if not isinstance(term, ox.Literal):
        return term
    node = ox.NamedNode("urn:x")
    return next(iter(keep([ox.Quad(node, node, term)]))).object
