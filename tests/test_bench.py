"""The benches measure what they say: peers answer as we do, the client counts, tables judge."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from graphql import introspection_types

from bench import generated, lists, loading, peer_oxigraph, peer_rdflib, search
from bench.__main__ import MARK, PAGE, PRINTED, SECTIONS, put_section
from bench.blocks import Overlap
from bench.commits import STEPS, beginning, entity, measure_commits
from bench.generator import Shape
from bench.load import Load, measure
from bench.operations import (
    PARTNERS,
    PEER_PARTNERS,
    PEER_POINT,
    POINT,
    canonical,
    cursor_after,
)
from bench.peer_data import write_peer_data
from bench.reads import read_identifiers, write_bodies
from bench.search_engines import ENGINES
from bench.servers import Server, serve_peer
from bench.stores import copy_store, fill, prepare_store
from bench.tables import Table, judge, percentile
from graph.access import anonymous
from graph.curation.gate import Gate
from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.dataset import Dataset
from graph.terms import RZ
from schema.execute import Engine, Request
from schema.types import build_schema

pytestmark = pytest.mark.broad

SMALL = Shape(6_000)
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture(scope="module", params=["much", "little"])
def shape(request: pytest.FixtureRequest) -> Shape:
    overlap: Overlap = request.param
    return replace(SMALL, overlap=overlap)


@pytest.fixture(scope="module")
def store(shape: Shape, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stores")
    built = prepare_store(shape, model, folder)
    assert prepare_store(shape, model, folder) == built
    return built


@pytest.fixture(scope="module")
def data(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("peers") / "peer.nt"
    write_peer_data(store, path)
    return path


@pytest.fixture(scope="module")
def ours(store: Path, model: Model) -> Iterator[Ask]:
    settings = replace(Settings(), store=store)
    dataset = Dataset.open(settings, model, with_store=False)
    dataset.snapshot.search.build(dataset.snapshot)
    engine = Engine(model, build_schema(model), settings)

    def ask(query: str, variables: dict[str, str], compare: Any = canonical) -> Any:
        request = Request(query, None, variables, settings.language_chain)
        answer = engine.answer(request, dataset.snapshot, anonymous(settings))
        assert not answer.errors
        return compare(answer.data)

    yield ask
    dataset.close()


def ask_peer(
    peer: ModuleType, query: str, variables: dict[str, str], compare: Any = canonical
) -> Any:
    context = peer.make_context() if hasattr(peer, "make_context") else None
    schema = peer.make_schema([])
    result = asyncio.run(schema.execute(query, variable_values=variables, context_value=context))
    assert not result.errors
    return compare(json.loads(json.dumps(result.data)))  # rdflib's IRIs equal no text


@pytest.mark.parametrize("peer", [peer_rdflib, peer_oxigraph], ids=["rdflib", "oxigraph"])
def test_peers_answer_as_we_do(
    peer: ModuleType, shape: Shape, data: Path, ours: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Strawberry exchanges it for all schemas of the process: it is put back afterwards.
    kinds = introspection_types["__Type"].fields  # type: ignore[attr-defined]
    monkeypatch.setitem(kinds, "isOneOf", kinds["isOneOf"])
    peer.load(data)
    clusters, organisations = read_identifiers(shape)
    assert clusters == peer.CLUSTERS
    for start in clusters[:: len(clusters) // 3]:
        wanted = ours(PARTNERS, {"after": cursor_after(start)})
        assert ask_peer(peer, PEER_PARTNERS, {"after": start}) == wanted
    for iri in organisations[::20]:
        assert ask_peer(peer, PEER_POINT, {"id": iri}) == ours(POINT, {"id": iri})
    nobody = {"id": "https://w3id.org/rhizome/id/organisation/nobody"}
    assert ask_peer(peer, PEER_POINT, nobody) == ours(POINT, nobody) == {"organisation": None}
    for operation, query in lists.PEERS.items():
        found = []
        for asked in lists.ASKED[operation]:
            told = ask_peer(peer, query, asked, lists.gist)
            assert told == ours(lists.OURS[operation], asked, lists.gist), (operation, asked)
            found.append(told)
        assert any(found), operation


@pytest.mark.parametrize(
    "query",
    [lists.FILTERED, lists.NESTED, lists.AGGREGATE, lists.SEARCH, lists.ORDERED, lists.LARGE],
)
def test_lists_that_are_measured_are_answered(query: str, ours: Ask) -> None:
    country = "http://publications.europa.eu/resource/authority/country/FRA"
    given = {"text": "pl", "country": country}
    assert ours(query, {name: value for name, value in given.items() if f"${name}:" in query})


def test_drawn_operations_are_counted(store: Path, model: Model, tmp_path: Path) -> None:
    table = generated.table_generated(copy_store(store, tmp_path), model, 20, "small")
    (known, new), notes = table.rows, table.notes
    assert known[1] == new[1]
    assert int(known[1]) > 5
    assert "Refused of 20 drawn" in notes[0]


def test_contested_values_are_settled_for_the_peers(data: Path) -> None:
    lines = [line.split(" ", 2) for line in data.read_text(encoding="utf-8").splitlines()]
    subjects = [s for s, p, _ in lines if p == f"<{RZ}country>"]
    assert len(subjects) == len(set(subjects)) > 100


def test_both_ways_of_loading_find_the_same(data: Path) -> None:
    rows = loading.table_loading(data).rows
    assert len(rows) == 2
    assert all(isinstance(cell, float) and cell > 0 for row in rows for cell in row[1:])


def test_bodies_have_distinct_variables(tmp_path: Path) -> None:
    write_bodies(tmp_path, *read_identifiers(Shape(30_000)))
    for name in ("partners", "peer-partners", "point", "peer-point"):
        bodies = (tmp_path / name).read_bytes().splitlines()
        assert len(bodies) == len(set(bodies)) > 10


def test_the_client_counts_what_it_was_answered(tmp_path: Path) -> None:
    (tmp_path / "point.json").write_bytes(b'{"data": 1}')
    (tmp_path / "bodies").write_bytes(b'{"a": 1}\n{"a": 2}')
    with serve_peer("static", tmp_path) as server:
        before = server.cpu_s()
        timing = measure(Load(server.port, "/point", str(tmp_path / "bodies"), 2, 0.3))
        assert server.cpu_s() > before
    assert len(timing.latencies) > 20
    assert timing.latencies == sorted(timing.latencies)
    assert timing.wall_s >= 0.3


def test_an_answer_that_is_an_error_stops_the_bench(tmp_path: Path) -> None:
    (tmp_path / "point.json").write_bytes(b'{"errors": []}')
    (tmp_path / "bodies").write_bytes(b"{}")
    with serve_peer("static", tmp_path) as server, pytest.raises(Exception, match="exit status 1"):
        measure(Load(server.port, "/point", str(tmp_path / "bodies"), 1, 0.1))


def test_a_server_that_ends_is_told_with_its_last_words() -> None:
    with pytest.raises(RuntimeError, match=r"ended without an address.*no such thing"):
        Server(["-c", "raise SystemExit('no such thing')"])


def test_entities_of_the_commit_bench_are_accepted(tmp_path: Path, model: Model) -> None:
    settings = replace(Settings(), store=tmp_path)
    dataset = Dataset.open(settings, model, with_store=False)
    fill(dataset, Shape(1))
    gate = Gate(dataset, model, settings)
    gate.submit(beginning(), agent="bench", activity="mutation", message="begin")
    receipt = gate.submit(entity(1), agent="bench", activity="mutation", message="one")
    assert receipt.added == len(list(entity(1))) == 17
    dataset.close()


def test_every_step_of_a_commit_is_timed(tmp_path: Path, model: Model) -> None:
    found = measure_commits(prepare_store(SMALL, model, tmp_path), 2)
    assert {name for name in STEPS if not all(found[name])} <= {"fsync", "log, fsync apart"}
    assert all(len(times) == 2 for times in found.values())


def test_a_missed_target_says_so() -> None:
    assert judge(19.0, 20) == "≤ 20: met"
    assert judge(21.0, 20) == "≤ 20: **missed**"
    assert judge(39.9, 40, at_least=True) == "≥ 40: **missed**"


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(n) for n in range(1, 101)]
    assert percentile(values, 50) == 51
    assert percentile(values, 99) == 100
    assert percentile([3.0], 99) == 3


def test_a_table_is_markdown() -> None:
    table = Table("T", ("a", "b"), [("x", 1234), ("y", 0.5), ("z", float("nan"))], ("Note.",))
    assert table.markdown().splitlines() == [
        "### T",
        "",
        "| a | b |",
        "| --- | --- |",
        "| x | 1,234 |",
        "| y | 0.50 |",
        "| z | – |",
        "",
        "Note.",
    ]


def test_a_section_is_written_in_place_of_its_own_alone() -> None:
    head = "# T\n\n## Reads\nhow\n\n" + MARK + "\n"
    page = head + "## Reads\n\nold\n\n## Starts\n\nkept\n\n## Long runs\n\nby hand\n"
    page = put_section(page, "## Reads\n\nnew\n")
    assert page == head + ("## Reads\n\nnew\n\n## Starts\n\nkept\n\n## Long runs\n\nby hand\n")
    page = put_section(page, "## Growth\n\nfirst\n")
    assert page.endswith("kept\n\n## Growth\n\nfirst\n\n## Long runs\n\nby hand\n")
    assert put_section(head, "## Growth\n\nfirst") == head + "## Growth\n\nfirst\n"
    with pytest.raises(ValueError, match=r"performance\.md has no line"):
        put_section("# T\n", "## Growth\n")


def test_every_measured_section_of_the_page_is_one_of_the_bench() -> None:
    """Twice the same title would have one of the two stay old for ever."""
    _, mark, measured = PAGE.read_text(encoding="utf-8").partition(MARK)
    titles = [line[3:].lower() for line in measured.splitlines() if line.startswith("## ")]
    assert mark
    assert len(titles) == len(set(titles))
    assert {*titles} - {"long runs", "what is missed, and why"} <= {*SECTIONS, *PRINTED}


def test_answers_are_compared_without_wrappers_and_order() -> None:
    assert canonical({"a": {"nodes": [{"b": 2}, {"b": 1}]}}) == {"a": [{"b": 1}, {"b": 2}]}


@pytest.mark.parametrize("name", [name for name in ENGINES if name != "tantivy"])
def test_engines_of_the_search_bench_find_whole_names(name: str) -> None:
    found = search.measure(name, 400)
    assert found["recall"]["whole"] == 1
    assert found["recall"]["one typo"] > 0.7
    assert set(found["times"]) == set(found["recall"])


def test_questions_of_the_search_bench_are_the_same_each_time(model: Model) -> None:
    asked = list(search.questions(search.make_snapshot(model, 400)))
    assert asked == list(search.questions(search.make_snapshot(model, 400)))
    assert len({kind for kind, _, _ in asked}) == 6
