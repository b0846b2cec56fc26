"""Imports only go down the ladder, never round in a circle, and each engine has one home."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

import networkx as nx
import pytest

from tests.require import ROOT
from tests.sources import BESIDE, PRODUCT, Source, read_sources

# The longest prefix of a file's path decides; tests and bench stand beside the ladder, above all.
FLOORS: Mapping[str, int] = {
    "graph/": 0,
    "graph/store/": 1,
    "graph/curation/": 2,
    "graph/analysis/": 3,
    "schema/": 4,
    "web/": 5,
    "server.py": 6,
    "tests/": 7,
    "bench/": 7,
}
OURS = frozenset(prefix.split("/")[0].removesuffix(".py") for prefix in FLOORS)

# A library that is not named here may be used anywhere.
HOMES: Mapping[str, tuple[str, ...]] = {
    "pyoxigraph": ("graph/store/", "graph/curation/formats", "graph/shapes.py"),
    "rdflib": ("graph/model.py", "graph/shapes.py", "graph/curation/"),
    "pyshacl": ("graph/curation/",),
    "networkx": ("graph/analysis/",),
    "rustworkx": ("graph/analysis/",),
    "sknetwork": ("graph/analysis/",),
    "graphql": ("schema/", "web/"),
    "strawberry": ("schema/", "web/"),
    "starlette": ("web/", "server.py"),
    "uvicorn": ("web/", "server.py"),
    "websockets": ("web/",),
}


def floor_of(path: str) -> int:
    """Floor of a file, by its path."""
    homes = [prefix for prefix in FLOORS if path.startswith(prefix)]
    assert homes, f"{path} stands on no floor"
    return FLOORS[max(homes, key=len)]


def imported_names(source: Source) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each import: `from a import b` gives `a.b`, wherever it stands."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def resolve(name: str, modules: Mapping[str, Source]) -> Source | None:
    """Module of ours that a dotted name leads to: itself, or the one that defines its last part."""
    return modules.get(name) or modules.get(name.rpartition(".")[0])


def offences(sources: Iterable[Source]) -> list[str]:
    """Sentences, one per import that goes up, is relative, leads nowhere or leaves its home."""
    modules = {source.module: source for source in sources}
    found = []
    for source in modules.values():
        for line, name in imported_names(source):
            where = f"{source.path}:{line}"
            top = name.split(".")[0]
            if name.startswith("."):
                found.append(f"{where}: relative import of {name}")
            elif top in OURS:
                target = resolve(name, modules)
                if target is None:
                    found.append(f"{where}: {name} is no module of ours")
                elif floor_of(target.path) > floor_of(source.path):
                    found.append(f"{where}: {name} stands above")
            elif floor_of(source.path) < 7 and not source.path.startswith(HOMES.get(top, "")):
                found.append(f"{where}: {top} belongs to {', '.join(HOMES[top])}")
    return found


def circles(sources: Iterable[Source]) -> list[list[str]]:
    """Groups of modules that import each other, also inside functions, sorted."""
    modules = {source.module: source for source in sources}
    imports: nx.DiGraph[str] = nx.DiGraph()
    for source in modules.values():
        for _, name in imported_names(source):
            target = resolve(name, modules)
            if target is not None and target is not source:
                imports.add_edge(source.module, target.module)
    return sorted(sorted(c) for c in nx.strongly_connected_components(imports) if len(c) > 1)


def test_imports_only_go_down() -> None:
    assert offences(read_sources(*PRODUCT, *BESIDE)) == []


def test_no_modules_import_each_other() -> None:
    assert circles(read_sources(*PRODUCT, *BESIDE)) == []


def test_the_ground_is_data_alone() -> None:
    assert [p for folder in ("ontology", "seeds") for p in (ROOT / folder).rglob("*.py")] == []


TINY = {
    "graph/terms.py": "",
    "graph/store/__init__.py": "",
    "graph/store/log.py": "from graph.terms import IRI",
    "schema/plan.py": "",
}


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("graph/store/a.py", "from schema.plan import Plan", "schema.plan.Plan stands above"),
        ("graph/store/a.py", "import schema.plan", "schema.plan stands above"),
        ("graph/a.py", "from graph.store import log", "graph.store.log stands above"),
        ("graph/a.py", "def f():\n    from graph.store.log import Log", "graph.store.log.Log"),
        ("schema/a.py", "from .plan import Plan", "relative import of .plan.Plan"),
        ("schema/a.py", "from graph.nothing import here", "graph.nothing.here is no module"),
        ("web/a.py", "from tests.naive import answer", "tests.naive.answer is no module"),
        ("web/a.py", "from rdflib import Graph", "rdflib belongs to"),
        ("schema/a.py", "import pyoxigraph", "pyoxigraph belongs to"),
        ("graph/terms2.py", "from rdflib.term import URIRef", "rdflib belongs to"),
    ],
)
def test_an_offence_is_found(path: str, text: str, found: str) -> None:
    files = TINY | {path: text}
    sentences = offences(Source(*file) for file in files.items())
    assert len(sentences) == 1
    assert found in sentences[0]


def test_what_is_allowed_is_no_offence() -> None:
    files = TINY | {
        "graph/store/oxigraph.py": "import pyoxigraph\nfrom graph.store.log import Log",
        "web/pages.py": "import json\nfrom starlette.routing import Route\nimport graph.terms",
        "tests/test_it.py": "import rdflib\nfrom web import pages",
    }
    assert offences(Source(*file) for file in files.items()) == []


def test_a_circle_is_found_even_when_one_import_hides_in_a_function() -> None:
    files = {
        "graph/a.py": "from graph import b",
        "graph/b.py": "from graph.c import thing",
        "graph/c.py": "def late():\n    from graph.a import other",
        "graph/d.py": "import graph.a",
    }
    assert circles(Source(*file) for file in files.items()) == [["graph.a", "graph.b", "graph.c"]]


def test_a_file_outside_the_ladder_is_refused() -> None:
    with pytest.raises(AssertionError, match="no floor"):
        floor_of("helpers/odd.py")
