"""The command `question`: lists the question library, or asks one question of a store.

Floor 5. It asks in GraphQL, and what only SPARQL can say the workers, as the page of a question
does; who may use the store's folder may ask all that is only read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from graph.access import Scope, Viewer, anonymous
from graph.errors import BadValueError, QueryTooLargeError, RhizomeError
from graph.store.guard import check_query
from graph.store.prefixes import PREFIXES
from graph.store.query import Answer, Query
from schema.execute import Engine, Request
from schema.loading import load_schema
from schema.question import Question, Variables
from schema.questions import load_questions
from schema.rows import Row
from schema.tabulated import find_question, find_table, read_solutions, write_json, write_table
from web.control import Piece

if TYPE_CHECKING:
    from graph.settings import Settings
    from graph.store.dataset import Dataset
    from graph.store.pool import Pool
    from graph.store.snapshot import Snapshot

#: Formats of the graph of a question, and of a table or all tables.
GRAPHS: Final = ("turtle", "nt", "rdfxml", "jsonld")
FORMATS: Final = ("csv", "tsv", "json", *GRAPHS)


class _Found(NamedTuple):
    """Rows by the place of their table, of which revision, and whether some were cut."""

    tables: Mapping[int, list[Row]]
    revision: int
    is_cut: bool


def asks_sparql(arguments: Mapping[str, Any]) -> bool:
    """Tell whether what a command asks has to be asked in SPARQL, also in part."""
    if not arguments["name"]:
        return False
    try:
        question, places = _asked(arguments)
    except RhizomeError:  # told when it runs
        return False
    is_graph = arguments["format"] in GRAPHS
    return is_graph or any(not question.tables[at].paths for at in places)


def run_question(
    dataset: Dataset, pool: Pool | None, arguments: Mapping[str, Any]
) -> Iterator[Piece]:
    """Yield the list of questions, or the answer of a dataset to one.

    `pool` answers what is asked in SPARQL.

    Raises
    ------
    NotFoundError, UnknownTermError, BadValueError
        There is no such question, table, parameter or format, or a value is not of its kind.
    QueryTooLargeError
        The answer is more than one may ask at once.
    """
    format = arguments["format"]
    if not arguments["name"]:
        for question in load_questions():
            title = question.title[arguments["language"]]
            yield Piece.out(f"{question.name}  {title}\n".encode())
        return
    question, places = _asked(arguments)
    values = question.read_values(read_pairs(arguments["parameters"]))
    if Scope.WRITE in question.scopes:
        expected = "a question that is only read: send its document with a token (docs/writing.md)"
        raise BadValueError("question", question.name, expected)
    question.require_known(values, dataset.snapshot_for(_operator(dataset.settings)))
    if format in GRAPHS:
        answer = _ask_sparql(dataset, pool, question.graph(values), format)
        yield Piece.out(answer.body)
        yield _say_of(answer.revision, f"{answer.rows} statements", is_cut=answer.is_truncated)
        return
    found = _ask(dataset, pool, question, values, places)
    yield from _write(question, values, found, arguments)


def _asked(arguments: Mapping[str, Any]) -> tuple[Question, Sequence[int]]:
    """Return the question that is asked, in the reader's language, and the places of its tables.

    Raises
    ------
    NotFoundError, UnknownTermError, BadValueError
        There is no such question or table, or it has no graph.
    """
    question = find_question(arguments["name"]).read_in(arguments["language"])
    place = find_table(question, arguments["table"] or "1")
    if arguments["format"] in GRAPHS:
        if not question.construct:
            expected = "csv, tsv or json: the answer of this question is no graph"
            raise BadValueError("--format", arguments["format"], expected)
        if arguments["table"]:
            raise BadValueError("--table", arguments["table"], "left out: a graph has no tables")
        return question, ()
    is_all = arguments["format"] == "json" and not arguments["table"]
    return question, range(len(question.tables)) if is_all else (place,)


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
    dataset: Dataset,
    pool: Pool | None,
    question: Question,
    values: Variables,
    places: Sequence[int],
) -> _Found:
    """Return the rows of the tables that are asked."""
    data: Mapping[str, Any] | None = None
    snapshot = dataset.snapshot_for(_operator(dataset.settings))
    tables, revision, is_cut = dict[int, list[Row]](), snapshot.revision, False
    for at in places:
        table = question.tables[at]
        if table.paths:
            data = data or _ask_graphql(dataset, snapshot, question, values)
            tables[at] = table.answer_rows(data)
        else:
            answer = _ask_sparql(dataset, pool, question.sparql(table, values), "json")
            revision = answer.revision if len(places) == 1 else revision
            is_cut = is_cut or answer.is_truncated
            tables[at] = table.solution_rows(*read_solutions(answer.body))
    return _Found(tables, revision, is_cut)


def _ask_graphql(
    dataset: Dataset, snapshot: Snapshot, question: Question, values: Variables
) -> Mapping[str, Any]:
    settings = dataset.settings
    viewer = _operator(settings)
    if not snapshot.search.is_ready:
        snapshot.search.build(snapshot)
    engine = Engine(dataset.model, load_schema(dataset.model), settings, dataset.log)
    languages = (question.language, *settings.language_chain)

    def answer(document: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        found = engine.answer(Request(document, None, variables, languages), snapshot, viewer)
        if found.error is not None:
            raise found.error
        if found.errors or found.data is None:
            message = str(found.errors[0]["message"])[:200] if found.errors else "nothing"
            raise BadValueError("question", question.name, f"answered: {message}")
        return found.data

    asked = replace(question, variables=values)
    return asked.ask(_counted(answer, settings.question_pages))


def _ask_sparql(dataset: Dataset, pool: Pool | None, text: str, format: str) -> Answer:
    """Return the workers' answer of the newest revision, within the limits of a token."""
    assert pool is not None  # opened, where it is asked
    settings = dataset.settings
    checked = check_query(text, settings)
    query = Query(
        text=text,
        format=format,
        deadline_s=_operator(settings).query_deadline_s,
        prologue=checked.prologue,
        from_graphs=checked.from_graphs,
        from_named_graphs=checked.from_named_graphs,
        rows_max=settings.sparql_token_rows,
        prefixes=PREFIXES,
        caller="command line",
    )
    return pool.ask(query, dataset.revision)


def _counted(answer: Any, most: int) -> Any:
    """Return the same function, which refuses to be called too often."""
    calls = 0

    def counted(document: str, variables: Mapping[str, Any]) -> Any:
        nonlocal calls
        calls += 1
        if calls > most:
            raise QueryTooLargeError("question_pages", most, calls)
        return answer(document, variables)

    return counted


def _write(
    question: Question,
    values: Variables,
    found: _Found,
    arguments: Mapping[str, Any],
) -> Iterator[Piece]:
    format = arguments["format"]
    if format == "json":
        more = {"revision": found.revision, "truncated": found.is_cut}
        yield Piece.out(write_json(question, values, found.tables, **more))
        return
    ((place, rows),) = found.tables.items()
    table = question.tables[place]
    yield Piece.out(write_table(table, rows, format))
    count = len(question.tables)
    part = f" (table {place + 1} of {count}, --table chooses)" if count > 1 else ""
    what = f"{table.title[question.language]}{part}, {len(rows)} rows"
    yield _say_of(found.revision, what, is_cut=found.is_cut)


def _say_of(revision: int, what: str, *, is_cut: bool) -> Piece:
    """Say what was written; what was cut is not to be taken for all."""
    limits = "RHIZOME_SPARQL_TOKEN_ROWS rows, or 16 MiB"
    cut = f"; there are more: an answer has at most {limits}" if is_cut else ""
    return Piece.say(f"revision {revision}: {what}{cut}")


def _operator(settings: Settings) -> Viewer:
    """Return who asks: the one who has the store's folder, reading with a token's limits."""
    visitor = anonymous(settings)
    scopes = frozenset(Scope) - {Scope.WRITE}
    nodes = settings.graphql_token_nodes
    return replace(visitor, name="command line", scopes=scopes, nodes_max=nodes, token="command")
