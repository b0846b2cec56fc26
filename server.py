"""Rhizome's command line and composition root: `python server.py serve`.

Floor 6. Here settings, model, dataset, gate and workers are put together, and errors become exit
codes. Each command runs in this process, or, where a server already runs on the store, in it.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import argparse
    import socket

    from starlette.applications import Starlette

    from graph.settings import Settings
    from web.control import Command, Piece
    from web.plain import PlainService
    from web.service import Service

ROOT: Final = Path(__file__).resolve().parent
#: Packages of this checkout whose names others use, too: PyPI has a `schema`.
OURS: Final = ("graph", "schema", "web")
EXIT_CONFIGURATION: Final = 6
EXIT_INTERRUPTED: Final = 130
#: Violations that are written out; of more, the number.
VIOLATIONS_SHOWN: Final = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code."""
    if message := find_foreign_package():
        print(f"error: {message}", file=sys.stderr)
        return EXIT_CONFIGURATION
    from graph.errors import RhizomeError
    from graph.settings import Settings
    from web.arguments import read_arguments
    from web.control import RemoteFailure
    from web.problems import describe_error

    options = read_arguments(arguments)
    try:
        settings = Settings.from_environment(
            store=options.store,
            host=getattr(options, "host", None),
            port=getattr(options, "port", None),
            follow=getattr(options, "follow", None),
            follow_token_file=getattr(options, "token_file", None),
        )
        if options.command == "serve" and options.profile == "plain":
            return serve_plain(settings)
        if options.command == "serve":
            return serve(settings, seeds=options.seeds, promotes=options.promote)
        return run(options, settings)
    except RhizomeError as error:
        return _fail(describe_error(error), error.exit_code)
    except RemoteFailure as failure:
        return _fail(failure.problem, failure.exit_code)
    except BrokenPipeError:  # the reader of a pipe has enough: `export | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def find_foreign_package() -> str | None:
    """Return what to say when a package of ours would come from elsewhere, else None."""
    for name in OURS:
        found = importlib.util.find_spec(name)
        origin = Path(found.origin).resolve() if found and found.origin else None
        if origin is None or not origin.is_relative_to(ROOT):
            return (
                f"the package `{name}` would be loaded from {origin or 'nowhere'}, not from this "
                "checkout: use its own environment (`make venv`, then `.venv/bin/python server.py`)"
            )
    return None


def serve(settings: Settings, *, seeds: bool, promotes: bool = False) -> int:
    """Serve until a signal comes; return the exit code."""
    from graph.shapes import load_model
    from graph.store.lock import StoreLock
    from web.app import create_app
    from web.log import configure_logging
    from web.memory import keep_little
    from web.opening import open_served, settle_role, verify_parts
    from web.service import Service
    from web.serving import address_of, bind

    configure_logging(settings.log_level)
    keep_little()
    with StoreLock(settings.store, "serve") as lock:
        settle_role(settings, promotes=promotes)
        service = Service(settings, load_model())
        listener = bind(settings)
        address = address_of(listener)
        lock.describe(address)
        opener = partial(open_served, service, address, seeds=seeds)
        app = create_app(service, opener, verify_parts)
        _run_server(app, service, listener)
        if service.is_busy:  # a signal came first: nobody waits for a thread that reads on
            logging.shutdown()
            os._exit(0)
    return 0


def serve_plain(settings: Settings) -> int:
    """Serve a bare dataset until a signal comes; return the exit code."""
    from graph.errors import SettingError
    from graph.store.lock import StoreLock
    from graph.store.plain import PlainStore
    from web.log import configure_logging
    from web.plain import FOLDER, PlainApplication, PlainService
    from web.serving import address_of, bind

    configure_logging(settings.log_level)
    if settings.follow:
        raise SettingError("follow", "...", "given together with --profile plain")
    with StoreLock(settings.store, "serve") as lock:
        service = PlainService(settings, PlainStore(settings.store / FOLDER, settings))
        listener = bind(settings)
        lock.describe(address_of(listener))
        _run_server(PlainApplication(service), service, listener)
    return 0


def _run_server(app: Starlette, service: Service | PlainService, listener: socket.socket) -> None:
    """Serve on a socket until a signal comes, or what ended the service is raised."""
    from web.serving import address_of, make_server

    address = address_of(listener)
    server = make_server(
        app,
        service.settings,
        on_listening=lambda: print(f"Rhizome listens on {address} (Ctrl+C stops)", flush=True),
        on_stopping=service.end_streams,
    )
    service.on_failure = server.stop
    server.run([listener])
    if service.failure is not None:
        raise service.failure


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Run a command other than `serve`, in the running server if there is one."""
    from web.commands import ask_or_run

    write_pieces(ask_or_run(read_command(options), settings), getattr(options, "out", None))
    return 0


def read_command(options: argparse.Namespace) -> Command:
    """Return the command that the options describe."""
    from web.arguments import format_of_name
    from web.control import Command

    if options.command == "load":
        arguments: dict[str, Any] = {
            "files": [str(path.resolve()) for path in options.files],
            "graph": options.graph,
            "dry_run": options.dry_run,
        }
    elif options.command == "export":
        return _read_export_command(options)
    elif options.command == "report":
        arguments = {
            "projection": options.projection,
            "format": options.format or format_of_name("report", options.out, "html"),
            "language": options.lang,
            "commit": options.commit,
            "level": options.level,
            "write": not options.commit or bool(options.out or options.format),
        }
    elif options.command == "question":
        arguments = {
            "name": options.name or "",
            "parameters": options.param or [],
            "table": options.table or "",
            "format": options.format or format_of_name("question", options.out, "csv"),
            "language": options.lang,
        }
    elif options.command == "token":
        return _read_token_command(options)
    elif options.command == "queries":
        if options.kind == "kill":
            return Command("queries kill", {"id": options.id})
        arguments = {"json": options.json}
    else:
        arguments = {"deep": options.deep}
    return Command(options.command, arguments)


def _read_export_command(options: argparse.Namespace) -> Command:
    """Return the command to export what the options describe; only what was given is told."""
    from web.arguments import format_of_name
    from web.control import Command

    out = options.out
    is_packed = out is not None and out.suffix.lower() == ".gz"
    default = "nq" if options.revision is not None else "trig"
    name = out.with_suffix("") if is_packed else out
    given = {
        "format": options.format or format_of_name("export", name, default),
        "graph": options.graph,
        "entity": options.entity,
        "depth": options.depth,
        "revision": options.revision,
        "projection": options.projection,
        "language": options.lang if options.lang != "en" else None,
        "gzip": is_packed or None,
        "level": options.level if options.level != "public" else None,
    }
    arguments = {name: value for name, value in given.items() if value is not None}
    return Command("export", arguments)


def _read_token_command(options: argparse.Namespace) -> Command:
    """Return the command on tokens that the options describe."""
    from web.control import Command

    arguments: dict[str, Any] = {}
    if options.kind == "create":
        arguments = {
            "scopes": options.scope or [],
            "expires": options.expires,
            "name": options.name,
            "sources": options.source or [],
            "level": options.level,
        }
    elif options.kind == "revoke":
        arguments = {"token": options.token}
    return Command(f"token {options.kind}", arguments)


def write_pieces(pieces: Iterator[Piece], out: Path | None) -> None:
    """Write output to a file or standard output, and sentences to standard error."""
    from web.control import Kind
    from web.output import open_output

    with open_output(out) as output:
        for piece in pieces:
            if piece.kind is Kind.SAY:
                print(piece.content.decode(), file=sys.stderr)
            else:
                output.write(piece.content)


def _fail(problem: dict[str, Any], exit_code: int) -> int:
    """Say on standard error what went wrong, each violation on a line of its own."""
    print(f"error: {problem['detail']}", file=sys.stderr)
    violations = [_fields(violation) for violation in problem.get("violations", ())]
    for violation in violations[:VIOLATIONS_SHOWN]:
        parts = (violation["focus_node"], violation["path"], violation["value"])
        where = " ".join(part for part in parts if part)
        print(f"  {where}: {violation['message']} ({violation['constraint']})", file=sys.stderr)
    if len(violations) > VIOLATIONS_SHOWN:
        print(f"  and {len(violations) - VIOLATIONS_SHOWN} more", file=sys.stderr)
    return exit_code


def _fields(violation: Any) -> Any:
    """A violation as a mapping: it is one already when it came through the control socket."""
    return violation if isinstance(violation, dict) else asdict(violation)


if __name__ == "__main__":
    sys.exit(main())
