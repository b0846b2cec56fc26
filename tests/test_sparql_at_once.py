"""Short SPARQL queries answered at once are answered as the usual way does; all else goes it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from graph.terms import ENTITY, RZ
from web.answers import Answered
from web.app import Application

FEMAC = f"{ENTITY}organisation/femac"
LOOK_UP = f"SELECT ?p ?o {{ <{FEMAC}> ?p ?o }}"
NONE = f"SELECT ?o {{ <{FEMAC}> <urn:x:none> ?o }}"
ASK = f"ASK {{ <{FEMAC}> a ?class }}"
JSON = "application/sparql-results+json"
FORM = "application/x-www-form-urlencoded"


class Asked:
    """A request to `/sparql`, as the protocol has it and as a client sends it."""

    def __init__(
        self,
        query: str | None = LOOK_UP,
        method: str = "GET",
        kind: str = "",
        headers: dict[str, str] | None = None,
        url: str = "",
        **more: str,
    ) -> None:
        self.method = method
        self.headers = {"accept": JSON, "accept-encoding": "identity", **(headers or {})}
        fields = {**more, **({} if query is None or kind else {"query": query})}
        self.url, self.body = urlencode(fields) + url, b""
        if kind == FORM:
            self.body = urlencode({"query": query or ""}).encode()
        elif kind:
            self.body = (query or "").encode()
        if kind:
            self.headers["content-type"] = kind

    def at_once(self, client: TestClient) -> Answered | None:
        """What is answered at once, if anything is."""
        app: Any = client.app
        assert isinstance(app, Application)
        names = {"host": "testserver", **self.headers}
        scope: dict[str, Any] = {
            "type": "http",
            "method": self.method,
            "path": "/sparql",
            "query_string": self.url.encode(),
            "headers": [(n.encode(), v.encode("latin-1")) for n, v in names.items()],
            "client": ("testclient", 50000),
            "server": ("testserver", 80),
            "scheme": "http",
            "root_path": "",
        }
        return app.at_once.answer(scope, self.body)

    def usual(self, client: TestClient) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Status, sorted headers but for the length, and body of the usual way."""
        sent = {"user-agent": "", "connection": "keep-alive", **self.headers}
        address = f"/sparql?{self.url}" if self.url else "/sparql"
        with client.stream(self.method, address, headers=sent, content=self.body or None) as answer:
            body = b"".join(answer.iter_raw())
        head = [each for each in answer.headers.raw if each[0] != b"content-length"]
        return answer.status_code, sorted(head), body


AT_ONCE = {
    "look-up": Asked(),
    "a class": Asked(f"SELECT ?s {{ ?s a <{RZ}LabelScheme> }}"),
    "ask": Asked(ASK),
    "text": Asked(method="POST", kind="application/sparql-query"),
    "form": Asked(method="POST", kind=FORM),
    "any media type": Asked(headers={"accept": "*/*"}),
    "named format": Asked(format="json"),
    "media type of others": Asked(headers={"accept": "application/json"}),
    "compressed": Asked(headers={"accept-encoding": "gzip"}),
    "not kept": Asked(headers={"cache-control": "no-cache"}),
    "an unknown parameter": Asked(other="x"),
}
USUALLY = {
    "no query": Asked(None),
    "HEAD": Asked(method="HEAD"),
    "a browser": Asked(headers={"accept": "text/html,*/*;q=0.1"}),
    "another page": Asked(headers={"origin": "https://example.org"}),
    "token that is none": Asked(headers={"authorization": "Basic eDp5"}),
    "revision": Asked(headers={"rhizome-min-revision": "1"}),
    "held": Asked(headers={"if-none-match": '"x"'}),
    "explain": Asked(explain="true"),
    "explain, written otherwise": Asked(url="&%65xplain=true"),
    "one graph": Asked(url=f"&default-graph-uri={ENTITY}source/eccp-plant-intercluster"),
    "two queries": Asked(url="&query=ASK%7B%7D"),
    "a term that nobody knows": Asked(NONE),
    "csv that nobody asked for before": Asked(NONE, headers={"accept": "text/csv"}),
    "construct": Asked("CONSTRUCT WHERE { ?s ?p ?o } LIMIT 1", headers={"accept": "text/turtle"}),
    "update": Asked("INSERT DATA {}", method="POST", kind="application/sparql-update"),
    "no SPARQL": Asked("SELECT"),
    "media type that cannot be": Asked(headers={"accept": "image/png"}),
    "unknown body": Asked(method="POST", kind="text/plain"),
    "a filter": Asked(f"SELECT ?o {{ <{FEMAC}> ?p ?o FILTER(isIRI(?o)) }}"),
    "a long text": Asked(LOOK_UP + " " * 3_000),
    "a function that is refused": Asked("SELECT ?o { SERVICE <http://e/> { ?s ?p ?o } }"),
}


@pytest.mark.parametrize("name", AT_ONCE)
def test_what_is_short_is_answered_at_once_to_the_byte(client: TestClient, name: str) -> None:
    asked = AT_ONCE[name]
    for _ in range(2):  # the second time it is kept
        found = asked.at_once(client)
        assert found is not None
        assert (found.status, sorted(found.headers), found.body) == asked.usual(client)


def test_what_is_kept_repeats_and_what_is_evaluated_does_not(client: TestClient) -> None:
    app: Any = client.app
    for headers, repeats in (({}, True), ({"cache-control": "no-cache"}, False)):
        for _ in range(2):
            found = Asked(ASK, headers=headers).at_once(client)
            assert found is not None
            assert found.repeats is repeats
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app.state.service.tables, "limit_bytes", 0)
        found = Asked(f"{ASK} # another").at_once(client)
        assert found is not None
        assert not found.repeats


@pytest.mark.parametrize("name", USUALLY)
def test_all_else_goes_the_usual_way(client: TestClient, name: str) -> None:
    assert USUALLY[name].at_once(client) is None


def test_requests_answered_at_once_are_counted(client: TestClient) -> None:
    app: Any = client.app
    limiter, counted = app.state.service.limiter, list[str]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limiter, "take", lambda path, key: counted.append(f"{path} {key}"))
        assert Asked().at_once(client) is not None
        assert Asked("SELECT").at_once(client) is None
    assert counted == ["/sparql testclient"]
