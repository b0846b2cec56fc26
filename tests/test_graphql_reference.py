"""The reference of the GraphQL API: each root field has an example that runs, pages are current."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema
from starlette.testclient import TestClient

from graph.model import Model
from graph.shapes import load_model
from graph.store.difference import find_difference
from graph.terms import ENTITY
from schema.api_pages import TOPICS, Shown, class_page, index_page
from schema.api_types import types_page
from schema.examples import (
    create_example,
    delete_example,
    query_examples,
    subscription_examples,
    update_example,
)
from schema.execute import Request
from schema.loading import load_schema
from schema.mutation_types import mutation_names, writable_classes
from schema.notices import Step
from tests.require import ROOT
from tests.seeded import serve
from tests.showing import shorten, write_json
from tests.writing import Client

FOLDER = ROOT / "docs" / "graphql"
#: Classes of which the seeds hold nothing.
WITHOUT_NODES = {"EligibilityRule", "ProjectIdea", "TechnologicalBottleneck", "BusinessOpportunity"}
#: A source on which nothing rests, so that it can be deleted.
NEW_SOURCE = f"{ENTITY}source/example-page"
BEGIN = (
    f'mutation {{ updateSource(source: {{ id: "{NEW_SOURCE}", create: {{ title: "Page", kind: '
    f'USER }} }}, id: "{NEW_SOURCE}", input: {{ title: "A page" }}) {{ accepted }} }}'
)


class Asked:
    """All examples, asked in one go on a copy of the seeds, with what was answered."""

    def __init__(self, http: TestClient, model: Model) -> None:
        self.model = model
        self.client = Client(http, "partner-tool", "write", "changes", "explain")
        self.made: dict[str, str] = {}
        self.answers: dict[str, Any] = {}
        self.shown: dict[str, Shown] = {}
        self._read()
        self._watch()
        self._write()

    def known(self, iri: str, scheme: str | None) -> str | None:
        """Identifier of a node: the first of the seeds, else one that an example made."""
        plural = self.model.classes[iri].plural
        given = "" if scheme is None else f'inScheme: {{some: {{id: {{eq: "{scheme}"}}}}}}'
        document = f"{{ {plural}(first: 1, where: {{{given}}}) {{ nodes {{ id }} }} }}"
        nodes = self.client.ask(document)[plural]["nodes"]
        return nodes[0]["id"] if nodes else self.made.get(iri)

    def ask(self, name: str, document: str, text: str = "", **extensions: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.client.text}", "Accept-Language": "en"}
        body = {"query": document, "extensions": extensions}
        answer = self.client.http.post("/graphql", json=body, headers=headers).json()
        self.answers[name] = answer
        if "extensions" in answer:  # what it cost is another each time
            explained = answer["extensions"]["explain"]
            answer["extensions"]["explain"] = {"plan": explained["plan"].splitlines()}
        self.shown[name] = Shown(document, write_json(shorten(answer)), text)
        return answer.get("data")

    def _read(self) -> None:
        for path in sorted(FOLDER.glob("examples/*.graphql")):
            lines = path.read_text(encoding="utf-8").splitlines()
            comments = [line[2:] for line in takewhile(lambda line: line.startswith("#"), lines)]
            document = "\n".join(lines[len(comments) :])
            extensions = {}
            if comments[0].startswith("extensions: "):
                extensions = json.loads(comments.pop(0).removeprefix("extensions: "))
            self.ask(path.stem, document, "\n".join(comments), **extensions)
        for name, document in query_examples(self.model, self.known):
            self.ask(name, document)

    def _watch(self) -> None:
        """What subscriptions tell first of the seeds."""
        http = self.client.http
        service = http.app.state.service  # type: ignore[attr-defined]
        now = service.dataset.snapshot
        assert http.portal is not None
        before = http.portal.call(service.streams.versions.at, 0, service.visitor)
        step = Step(find_difference(before.whole, now), "", ())
        for name, document in subscription_examples(self.model):
            request = Request(document, languages=("en", "fr"))
            subscription = service.subscriber.prepare(request, now, service.visitor)
            told = subscription.batch(step).messages
            answer = json.loads(told[0].payload) if told else {}
            text = "" if told else "The seeds hold none: nothing is told yet."
            self.answers[name] = answer
            self.shown[name] = Shown(document, write_json(shorten(answer)), text)

    def _write(self) -> None:
        assert self.client.ask(BEGIN)["updateSource"]["accepted"]
        for shape in writable_classes(self.model):
            names = {
                str(action): name
                for name, (action, of) in mutation_names(self.model).items()
                if of == shape
            }
            iri = NEW_SOURCE
            if "create" in names:
                document = create_example(self.model, shape, self.known)
                self.ask(names["create"], document)
                made = self.client.ask(document.replace("dryRun: true", ""))[names["create"]]
                assert made["accepted"], (shape.name, made)
                self.made[shape.iri] = iri = made["id"]
            self.ask(names["update"], update_example(self.model, shape, iri, self.known))
            self.ask(names["delete"], delete_example(shape, iri))


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture(scope="module")
def schema(model: Model) -> GraphQLSchema:
    return load_schema(model)


@pytest.fixture(scope="module")
def asked(
    model: Model, seeded_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("reference") / "store"
    shutil.copytree(seeded_store, folder)
    with serve(folder, rate_token_api=0) as http:
        yield Asked(http, model)


def root_fields(schema: GraphQLSchema) -> set[str]:
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    return {name for root in roots if root is not None for name in root.fields}


def test_every_root_field_has_an_example(asked: Asked, schema: GraphQLSchema) -> None:
    assert root_fields(schema) - set(asked.shown) == set()
    assert set(asked.shown) - root_fields(schema) == {
        name for names in TOPICS.values() for name in names
    }


def test_every_example_is_answered_without_an_error(asked: Asked) -> None:
    wrong = {name: answer for name, answer in asked.answers.items() if "errors" in answer}
    assert wrong == {}


def test_examples_of_reads_find_something(asked: Asked, model: Model) -> None:
    for shape in model.classes.values():
        found = asked.answers[shape.field_name]["data"][shape.field_name]
        page = asked.answers[shape.plural]["data"][shape.plural]
        is_there = shape.name not in WITHOUT_NODES and not shape.computed
        assert (found is not None) == (page["totalCount"] > 0) == is_there
    for name in ("where", "order", "pages", "time", "changes", "search"):
        (page,) = asked.answers[name]["data"].values()
        assert page.get("nodes") or page.get("edges"), name


def test_examples_of_writes_are_accepted_and_change_nothing(asked: Asked, model: Model) -> None:
    for name in [*mutation_names(model), "write"]:
        done = asked.answers[name]["data"][name]
        assert done["accepted"], (name, done)
        assert done["violations"] == []
        assert "dryRun: true" in asked.shown[name].document
    ids = {
        asked.answers[f"create{shape.name}"]["data"][f"create{shape.name}"]["id"]
        for shape in writable_classes(model)
        if f"create{shape.name}" in asked.answers
    }
    assert len(ids) == len(asked.made)


def test_what_is_left_out_of_an_answer_is_told() -> None:
    assert shorten({"a": [1, 2, 3, 4], "b": ["x" * 101, "y" * 100]}) == {
        "a": [1, 2, "… 2 more"],
        "b": ["x" * 100 + "…", "y" * 100],
    }


def pages(model: Model, schema: GraphQLSchema, asked: Asked) -> dict[str, str]:
    head = (FOLDER / "head.md").read_text(encoding="utf-8")
    found = {
        "README.md": index_page(model, schema, asked.shown, head),
        "types.md": types_page(model, schema),
    }
    for shape in model.classes.values():
        found[f"{shape.name}.md"] = class_page(model, schema, shape, asked.shown)
    return found


@pytest.mark.generated
def test_the_pages_are_current(
    model: Model,
    schema: GraphQLSchema,
    asked: Asked,
    assert_current: Callable[[Path, str], None],
) -> None:
    written = pages(model, schema, asked)
    for name, text in written.items():
        assert_current(FOLDER / name, text)
    stale = {path.name for path in FOLDER.glob("*.md")} - set(written) - {"head.md"}
    assert stale == set()


def test_every_type_is_described_on_a_page(
    model: Model, schema: GraphQLSchema, asked: Asked
) -> None:
    written = pages(model, schema, asked)
    headings = set(re.findall(r"^### (\w+)$", written["types.md"], re.MULTILINE))
    for name in ("PageInfo", "StringFilter", "SortOrder", "URI", "Entity", "Violation"):
        assert name in headings
    assert not headings & {"ClusterWhere", "Cluster", "Query", "ActorNumbers"}
    assert "| `legalForm` |" in written["Organisation.md"]
