"""The command `question`: lists the question library, or asks one question of a store.

Floor 5. It asks in GraphQL, as the page of a question does; who may use the store's folder may ask
all that is only read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from graph.access import Scope, Viewer, anonymous
from graph.errors import BadValueError, QueryTooLargeError
from schema.execute import Engine, Request
from schema.loading import load_schema
from schema.question import Question, Variables
from schema.questions import load_questions
from schema.rows import Row
from schema.tabulated import find_question, find_table, write_json, write_table
from web.control import Piece

if TYPE_CHECKING:
    from graph.settings import Settings
    from graph.store.dataset import Dataset

FORMATS: Final = ("csv", "tsv", "json")


def run_question(dataset: Dataset, arguments: Mapping[str, Any]) -> Iterator[Piece]:
    """Yield the list of questions, or the answer of a dataset to one.

    Raises
    ------
    NotFoundError, UnknownTermError, BadValueError
        There is no such question, table or parameter, or a value is not of its kind.
    QueryTooLargeError
        The answer is more than one may ask at once.
    """
    language = arguments["language"]
    if not arguments["name"]:
        for question in load_questions():
            yield Piece.out(f"{question.name}  {question.title[language]}\n".encode())
        return
    question = find_question(arguments["name"])
    values = question.read_values(read_pairs(arguments["parameters"]))
    place = find_table(question, arguments["table"] or "1")
    if Scope.WRITE in question.scopes:
        expected = "a question that is only read: send its document with a token (docs/writing.md)"
        raise BadValueError("question", question.name, expected)
    is_all = arguments["format"] == "json" and not arguments["table"]
    places = [at for at in range(len(question.tables)) if is_all or at == place]
    tables, revision = _ask(dataset, question, values, places, language)
    yield from _write(question, values, tables, arguments["format"], language, revision)


def read_pairs(pairs: list[str]) -> dict[str, str]:
    """Return the parameters of `--param NAME=VALUE`.

    Raises
    ------
    BadValueError
        There is no `=`, or a name stands twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name or name in found:
            raise BadValueError("--param", pair[:80], "NAME=VALUE, each name once")
        found[name] = value
    return found


def _ask(
    dataset: Dataset, question: Question, values: Variables, places: list[int], language: str
) -> tuple[dict[int, list[Row]], int]:
    settings = dataset.settings
    viewer = _operator(settings)
    snapshot = dataset.snapshot_for(viewer)
    question.require_known(values, snapshot)
    unasked = [at for at in places if not question.tables[at].paths]
    if unasked and len(places) == len(unasked):
        expected = f"one that GraphQL answers; ask a server: /questions/{question.name}.csv"
        raise BadValueError("table", str(unasked[0] + 1), expected)
    if not snapshot.search.is_ready:
        snapshot.search.build(snapshot)
    engine = Engine(dataset.model, load_schema(dataset.model), settings, dataset.log)
    languages = (language, *settings.language_chain)

    def answer(document: str, variables: Variables) -> Mapping[str, Any]:
        found = engine.answer(Request(document, None, variables, languages), snapshot, viewer)
        if found.error is not None:
            raise found.error
        if found.errors or found.data is None:
            message = str(found.errors[0]["message"])[:200] if found.errors else "nothing"
            raise BadValueError("question", question.name, f"answered: {message}")
        return found.data

    asked = replace(question, variables=values)
    data = asked.ask(_counted(answer, settings.question_pages))
    tables = {
        at: question.tables[at].answer_rows(data) for at in places if question.tables[at].paths
    }
    return tables, snapshot.revision


def _counted(answer: Any, most: int) -> Any:
    """Return the same function, which refuses to be called too often."""
    calls = 0

    def counted(document: str, variables: Variables) -> Any:
        nonlocal calls
        calls += 1
        if calls > most:
            raise QueryTooLargeError("question_pages", most, calls)
        return answer(document, variables)

    return counted


def _write(
    question: Question,
    values: Variables,
    tables: Mapping[int, list[Row]],
    format: str,
    language: str,
    revision: int,
) -> Iterator[Piece]:
    if format == "json":
        yield Piece.out(write_json(question, values, tables, language, revision=revision))
        return
    ((place, rows),) = tables.items()
    table = question.tables[place]
    yield Piece.out(write_table(table, rows, format))
    count = len(question.tables)
    part = f" (table {place + 1} of {count}, --table chooses)" if count > 1 else ""
    yield Piece.say(f"revision {revision}: {table.title[language]}{part}, {len(rows)} rows")


def _operator(settings: Settings) -> Viewer:
    """Return who asks: the one who has the store's folder, reading with a token's limits."""
    visitor = anonymous(settings)
    scopes = frozenset(Scope) - {Scope.WRITE}
    nodes = settings.graphql_token_nodes
    return replace(visitor, name="command line", scopes=scopes, nodes_max=nodes, token="command")
