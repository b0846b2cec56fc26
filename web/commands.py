"""What the commands do, on a store that is open: in this process or in the running server.

Floor 5. A command yields pieces of output and sentences, and raises what went wrong; who prints
them, and where, is the caller's part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from graph.access import LEVELS, Level
from graph.curation.check import (
    Finding,
    check_checkpoint,
    check_external,
    check_image,
    check_log,
    check_shapes,
    check_snapshot,
    check_stores,
)
from graph.curation.gate import Gate
from graph.curation.seeding import seed
from graph.curation.validate import Validator
from graph.errors import BadValueError, ShapeViolationError, Violation
from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.access_tokens import Tokens
from graph.store.dataset import Dataset
from graph.store.level_images import split
from graph.store.levels import LevelView
from graph.store.lock import StoreLock, read_holder
from graph.store.log import Log
from schema.library import with_library
from web.control import Command, Piece, ask_server
from web.export_command import run_export
from web.question_commands import asks_sparql, run_question
from web.report import measure_report, render_report
from web.running import QUERY_COMMANDS, refuse_without_server
from web.token_commands import TOKEN_COMMANDS

if TYPE_CHECKING:
    from graph.analysis.findings import Report
    from graph.store.pool import Pool

SEEDS: Final = Path(__file__).parent.parent / "seeds"
#: How long a command waits for a server that opens its store, in seconds.
START_WAIT_S: Final = 60.0
_POLL_S: Final = 0.1
#: Warnings that are written out; the rest is counted.
_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Opened:
    """An open store: what a command works on.

    `holder` names the server that has it open, `pool` are its SPARQL workers.
    """

    settings: Settings
    dataset: Dataset
    gate: Gate
    tokens: Tokens
    holder: str = ""
    pool: Pool | None = None


def run_command(command: Command, opened: Opened) -> Iterator[Piece]:
    """Yield the answer of a command.

    Raises
    ------
    BadValueError
        There is no such command.
    RhizomeError
        What the command met.
    """
    if command.name in TOKEN_COMMANDS:
        return TOKEN_COMMANDS[command.name](opened.tokens, command.arguments)
    if command.name in QUERY_COMMANDS and opened.pool is not None:
        return QUERY_COMMANDS[command.name](opened.pool, command.arguments)
    run = _COMMANDS.get(command.name)
    if run is None:
        known = ", ".join((*_COMMANDS, *TOKEN_COMMANDS, *QUERY_COMMANDS))
        raise BadValueError("command", command.name[:40], f"one of {known}")
    return run(opened, command.arguments)


def ask_or_run(command: Command, settings: Settings) -> Iterator[Piece]:
    """Yield the answer of a command, from the server that runs on the store, or made here.

    A server that is still opening its store is waited for.

    Raises
    ------
    StoreUnavailableError
        Another process has the store and does not answer.
    RemoteFailure
        The command failed in the server.
    """
    answer = ask_server(settings.store, command)
    if answer is None and _is_starting(settings.store):
        yield Piece.say("a server is opening this store: waiting for it")
        deadline = time.monotonic() + START_WAIT_S
        while answer is None and time.monotonic() < deadline and _is_starting(settings.store):
            time.sleep(_POLL_S)
            answer = ask_server(settings.store, command)
    yield from run_locally(command, settings) if answer is None else answer


def run_locally(command: Command, settings: Settings) -> Iterator[Piece]:
    """Yield the answer of a command, on a store that this process opens for it.

    Raises
    ------
    StoreUnavailableError
        Another process has the store.
    """
    if command.name == "check":
        yield from _check_alone(settings, command.arguments)
        return
    if command.name in QUERY_COMMANDS:
        refuse_without_server()
    if command.name in TOKEN_COMMANDS:
        with StoreLock(settings.store, command.name):
            tokens = Tokens.open(settings)
            yield from TOKEN_COMMANDS[command.name](tokens, command.arguments)
        return
    asks = command.name == "question" and asks_sparql(command.arguments)
    with open_store(settings, command.name, with_store=asks) as opened:
        if command.name in ("export", "report", "question") and opened.dataset.log.revision == 0:
            yield Piece.say(f"the store {settings.store} is empty: loading the seeds first")
            seed(opened.gate, SEEDS)
        if not asks:
            yield from run_command(command, opened)
            return
        from web.local_pool import local_pool  # few commands start workers

        with local_pool(settings, opened.dataset) as pool:
            yield from run_command(command, replace(opened, pool=pool))


@contextmanager
def open_store(settings: Settings, command: str, *, with_store: bool = False) -> Iterator[Opened]:
    """Hold a store's lock and its dataset for one command; the SPARQL store only if asked."""
    with StoreLock(settings.store, command):
        model = load_model()
        held = with_library(model, settings) if with_store else model
        dataset = Dataset.open(settings, held, with_store=with_store)
        try:
            yield Opened(settings, dataset, Gate(dataset, model, settings), Tokens.open(settings))
        finally:
            dataset.close()


def _is_starting(store: Path) -> bool:
    """Whether a server has the store; asked where its control socket did not answer."""
    holder = read_holder(store)
    return holder is not None and holder.command == "serve"


def _load(opened: Opened, arguments: Mapping[str, Any]) -> Iterator[Piece]:
    """Load files as one commit."""
    paths = [Path(name) for name in arguments["files"]]
    receipt = opened.gate.load(
        paths, graph=arguments.get("graph"), dry_run=bool(arguments.get("dry_run"))
    )
    yield from _say_warnings(receipt.warnings)
    change = f"{receipt.added} statements added, {receipt.removed} removed"
    if arguments.get("dry_run"):
        yield Piece.say(f"would be accepted: {change}; nothing was changed")
    elif receipt.added or receipt.removed:
        yield Piece.say(f"revision {receipt.revision}: {change}")
    else:
        yield Piece.say(f"nothing new: all is there already, at revision {receipt.revision}")


def _view(opened: Opened, arguments: Mapping[str, Any]) -> LevelView:
    """Return what the level sees that a command names; public, where it names none."""
    name = str(arguments.get("level") or Level.PUBLIC.name)
    if name.upper() not in Level.__members__:
        raise BadValueError("--level", name[:40], f"one of {', '.join(LEVELS)}")
    return opened.dataset.levels.at(Level[name.upper()])


def _report(opened: Opened, arguments: Mapping[str, Any]) -> Iterator[Piece]:
    """Write the centrality report, or commit it, or both."""
    from graph.analysis.projection import NAMED_PROJECTIONS, find_projection  # slow to load

    commits, name = bool(arguments.get("commit")), arguments["projection"]
    writes = bool(arguments.get("write", True))
    is_all = commits and not writes and name == "all"
    for parameters in NAMED_PROJECTIONS.values() if is_all else [find_projection(name)]:
        view = _view(opened, arguments)
        if commits and view.level is not Level.PUBLIC:
            expected = "public with --commit: a committed report can be read by everyone"
            raise BadValueError("--level", view.level.name.lower(), expected)
        report = measure_report(view.snapshot, parameters, arguments["language"], view.time)
        if writes:
            yield Piece.out(render_report(report, arguments["format"]))
        if commits:
            yield _commit(opened, report)


def _commit(opened: Opened, report: Report) -> Piece:
    """Record a report as data and return what is to be said of it."""
    from graph.analysis.committed import commit_report

    name, nodes = report.parameters.name, report.network.nodes
    receipt = commit_report(opened.gate, report, agent="command line", now=datetime.now(UTC))
    if not receipt.added and not receipt.removed:
        return Piece.say(f"{name}: the committed report is up to date, nothing was changed")
    return Piece.say(
        f"revision {receipt.revision}: {name} on revision {report.revision}, "
        f"{nodes} organisations measured"
    )


def _check(opened: Opened, arguments: Mapping[str, Any]) -> Iterator[Piece]:
    """Verify the store of a running server, beside its work."""
    yield Piece.say(
        f"the store is open in {opened.holder}: log and snapshot are read as they are now, the "
        "SPARQL store as its newest checkpoint; stop the server to have its live files checked"
    )
    dataset = opened.dataset
    findings = [check_log(dataset.log.folder), check_snapshot(dataset)]
    checked = (check_checkpoint(dataset, view.level) for view in dataset.levels.views)
    findings += [found for found in checked if found is not None]
    findings += _look_outside(opened.settings, dataset, arguments)
    yield from _tell(findings, dataset, dataset.model)


def _look_outside(
    settings: Settings, dataset: Dataset, arguments: Mapping[str, Any]
) -> list[Finding]:
    """Return what is known of the SPARQL server of the settings, if they name one."""
    if not settings.sparql:
        return []
    system = with_library(load_model(), settings).system_quads
    return [check_external(settings, dataset, system, is_deep=bool(arguments.get("deep")))]


def _check_alone(settings: Settings, arguments: Mapping[str, Any]) -> Iterator[Piece]:
    """Verify a store that no other process has open; what is wrong is told, not mended."""
    if not (settings.store / "log").is_dir():
        raise BadValueError("--store", str(settings.store), "a folder that holds a store")
    with StoreLock(settings.store, "check"):
        found = check_log(settings.store / "log")
        yield _line(found)
        if found.error is not None:
            raise found.error
        model = load_model()
        log = Log.open(settings.store / "log")
        image, snapshot = check_image(settings.store / "image", model, log)
        levels = split(snapshot, log)
        dataset = Dataset(settings, model, log, levels)  # never closed: that saves the image
        findings = [image, check_snapshot(dataset), *check_stores(dataset)]
        findings += _look_outside(settings, dataset, arguments)
        yield from _tell(findings, dataset, model)


def _tell(findings: list[Finding], dataset: Dataset, model: Model) -> Iterator[Piece]:
    """Yield a line for each part and for the shapes; raise the first thing that is wrong."""
    for finding in findings:
        yield _line(finding)
    validator = Validator(model)
    views = dataset.levels.views
    results = list(dict.fromkeys(r for v in views for r in check_shapes(v.snapshot, validator)))
    violations = tuple(v for v in results if v.severity == "Violation")
    warnings = [v for v in results if v.severity != "Violation"]
    text = f"{len(violations)} violations, {len(warnings)} warnings"
    error = ShapeViolationError(violations) if violations else None
    yield _line(Finding("shapes", text, error))
    for finding in findings:
        if finding.error is not None:
            raise finding.error
    if error is not None:
        raise error


def _line(finding: Finding) -> Piece:
    mark = "ok " if finding.error is None else "BAD"
    text = f"{mark}  {finding.part:9} {finding.text}"
    if finding.error is not None and not isinstance(finding.error, ShapeViolationError):
        text = f"{text}: {finding.error.message}"
    return Piece.out(text.encode() + b"\n")


def _say_warnings(warnings: tuple[Violation, ...]) -> Iterator[Piece]:
    for warning in warnings[:_SHOWN]:
        path = f" {warning.path}" if warning.path else ""
        yield Piece.say(f"warning: {warning.focus_node}{path}: {warning.message}")
    if len(warnings) > _SHOWN:
        yield Piece.say(f"warning: and {len(warnings) - _SHOWN} more of this kind")


_COMMANDS: Final[dict[str, Callable[[Opened, Mapping[str, Any]], Iterator[Piece]]]] = {
    "load": _load,
    "export": lambda opened, arguments: run_export(
        opened.dataset, _view(opened, arguments), arguments
    ),
    "report": _report,
    "check": _check,
    "question": lambda opened, arguments: run_question(opened.dataset, opened.pool, arguments),
}
