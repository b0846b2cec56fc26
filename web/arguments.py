"""The arguments of the command line, and the help that teaches them.

Floor 5. Nothing is opened or run here; `server.py` does what they say.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

from graph.access import LEVELS
from graph.errors import BadValueError

EXPORT_FORMATS: Final = (
    *("trig", "nq", "turtle", "nt", "jsonld", "rdfxml", "jsonld-framed"),
    *("tables", "geojson", "gexf", "graphml", "rocrate"),
)
REPORT_FORMATS: Final = ("html", "md", "json", "csv")
QUESTION_FORMATS: Final = ("csv", "tsv", "json", "turtle", "nt", "rdfxml", "jsonld")
#: The ends of file names that mean a format, by command; other ends are refused.
SUFFIXES: Final[Mapping[str, Mapping[str, str]]] = {
    "export": {
        ".trig": "trig",
        ".nq": "nq",
        ".ttl": "turtle",
        ".nt": "nt",
        ".framed.jsonld": "jsonld-framed",
        ".jsonld": "jsonld",
        ".rdf": "rdfxml",
        ".tables.zip": "tables",
        ".geojson": "geojson",
        ".gexf": "gexf",
        ".graphml": "graphml",
        ".crate.zip": "rocrate",
    },
    "report": {
        ".html": "html",
        ".htm": "html",
        ".md": "md",
        ".markdown": "md",
        ".json": "json",
        ".csv": "csv",
    },
    "question": {
        ".csv": "csv",
        ".tsv": "tsv",
        ".json": "json",
        ".ttl": "turtle",
        ".nt": "nt",
        ".rdf": "rdfxml",
        ".jsonld": "jsonld",
    },
}
LANGUAGES: Final = ("en", "fr")
#: What `serve` serves, the default first.
PROFILES: Final = ("full", "plain")

_EXIT_CODES = """\
exit codes:
  0 done   2 request not understood   3 not allowed   4 data refused, nothing changed
  5 store cannot be used now   6 configuration   1 a fault of the program (please report it)
"""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = _Parser(
        prog="server.py",
        description="Rhizome: a knowledge graph of the plant innovation ecosystem.",
        epilog=dedent("""\
            first steps:
              python server.py serve                     start on the seeds; prints its address
              python server.py report --out report.html  who connects the network
              python server.py load mine.trig --dry-run  would my data be accepted?

            Every setting is also a variable, RHIZOME_PORT=9000 for example: see docs/settings.md.

            """)
        + _EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_serve(commands)
    _add_load(commands)
    _add_export(commands)
    _add_report(commands)
    _add_question(commands)
    _add_check(commands)
    _add_token(commands)
    _add_queries(commands)
    return parser


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what a command line says; ends the process where it cannot be understood."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    is_token = options.command == "token" and options.kind == "create"
    if is_token and not options.scope and options.level == LEVELS[0]:
        parser.error("token create: give --scope, or --level for one that only reads more")
    return options


def format_of_name(command: str, out: Path | None, default: str) -> str:
    """Return the format that the end of a file name means to a command.

    A name without suffix, or no name, means the default; `tables.zip` is `.tables.zip`, too.

    Raises
    ------
    BadValueError
        The suffix means none.
    """
    if out is None or not out.suffix:
        return default
    name = f".{out.name.lower()}"
    for suffix, format in SUFFIXES[command].items():
        if name.endswith(suffix):
            return format
    expected = f"a name that ends in one of {', '.join(SUFFIXES[command])}: or give --format"
    raise BadValueError("--out", out.name[-80:], expected)


class _Parser(argparse.ArgumentParser):
    """A parser that tells a mistake in one sentence, without the whole usage before it."""

    def error(self, message: str) -> Any:
        self.exit(2, f"error: {message}; see `python {self.prog} --help`\n")


def _add_command(commands: Any, name: str, summary: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=dedent(text) + "\n" + _EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--store",
        type=Path,
        metavar="DIR",
        help="folder of the log and all that is derived from it (default: var/store)",
    )
    return parser


def _add_serve(commands: Any) -> None:
    parser = _add_command(
        commands,
        "serve",
        "start the service and print its address",
        """\
        On its first start an empty store is given the seeds; later, newer seeds replace older
        ones, and what you loaded yourself stays. It listens at once: GET /health answers, and
        GET /ready says when data can be asked for. Ctrl+C or SIGTERM ends it in order.

        examples:
          python server.py serve
          python server.py serve --port 9000 --store /srv/rhizome
          python server.py serve --no-seeds --store var/empty
          python server.py serve --profile plain --store var/plain

        With --follow it becomes a read replica: it copies the log of another Rhizome into a
        store of its own, answers every read, and refuses changes (docs/replicas.md).

          python server.py serve --follow https://writer.example --token-file token --store var/copy
        """,
    )
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on; 0 takes a free one (8000)")
    parser.add_argument(
        "--no-seeds", dest="seeds", action="store_false", help="leave the seeds as they are"
    )
    parser.add_argument(
        "--profile",
        choices=PROFILES,
        default=PROFILES[0],
        help="plain: a bare SPARQL server that anyone may write, without model, gate and log",
    )
    parser.add_argument(
        "--follow", metavar="URL", help="be a read replica of the Rhizome that answers there"
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help="with --follow: holds the token, of scope changes, that the writer gave",
    )
    parser.add_argument(
        "--promote",
        action="store_true",
        help="let what was a read replica take changes of its own from now on",
    )


def _add_load(commands: Any) -> None:
    parser = _add_command(
        commands,
        "load",
        "add RDF files to the dataset, all of them or none",
        """\
        Files are Turtle, TriG, N-Triples, N-Quads, JSON-LD or RDF/XML, by their suffix (.gz too).
        They are checked against the shapes together and become one commit; when anything is
        wrong, nothing changes and every violation is listed. Each named graph must describe
        itself as a source. Where a server runs on the store, it does the work.

        examples:
          python server.py load mine.trig --dry-run
          python server.py load mine.trig
          python server.py load a.ttl b.ttl --graph https://w3id.org/rhizome/id/source/my-survey
        """,
    )
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path, help="an RDF file")
    parser.add_argument("--graph", metavar="IRI", help="source of the triples outside named graphs")
    parser.add_argument("--dry-run", action="store_true", help="check everything, change nothing")


def _add_export(commands: Any) -> None:
    parser = _add_command(
        commands,
        "export",
        "write the dataset, a part of it, or what other tools read",
        """\
        Writes what everyone may read; --level restricted writes all (docs/visibility.md). TriG,
        N-Quads and JSON-LD keep a named graph for each source; Turtle, N-Triples and
        RDF/XML hold the triples of all sources merged. An export loaded into an empty store gives
        the same dataset. --graph takes one source, --entity what lies within some steps of one
        thing (jsonld-framed: as a tree; gexf and graphml: within some ties), of tables and sites,
        too. --revision makes any revision anew from the log, as nq or nt, byte for byte what it
        was.

        Other formats: tables (a zip of CSV tables with a Frictionless datapackage.json), geojson
        (sites), gexf and graphml (a network, see --projection), rocrate (a zip with all that is
        needed to read, check and cite the data). The end of FILE means a format: .trig .nq .ttl .nt
        .jsonld .rdf .framed.jsonld .tables.zip .geojson .gexf .graphml .crate.zip; another end is
        refused unless --format is given. A FILE that ends in .gz is compressed. An empty store is
        given the seeds first.

        examples:
          python server.py export --out rhizome.trig
          python server.py export --out rhizome.nq.gz
          python server.py export --revision 1 --out rhizome-1.nq
          python server.py export --entity https://w3id.org/rhizome/id/network/plant-intercluster
          python server.py export --level restricted --out all.trig
          python server.py export --out rhizome.crate.zip
        """,
    )
    parser.add_argument(
        "--format", choices=EXPORT_FORMATS, help="default: by the name of FILE, else trig"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")
    parser.add_argument("--graph", metavar="IRI", help="one source alone, by its IRI")
    parser.add_argument("--entity", metavar="IRI", help="one thing and what is tied to it")
    parser.add_argument("--depth", metavar="N", help="steps from the thing (default: 1)")
    parser.add_argument("--revision", metavar="N", help="an earlier revision, as nq or nt")
    parser.add_argument(
        "--projection", metavar="NAME", help="which network (gexf, graphml; default: default)"
    )
    parser.add_argument(
        "--lang", choices=LANGUAGES, default="en", help="language of a network's labels"
    )
    _add_level(parser)


def _add_level(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--level", choices=LEVELS, default=LEVELS[0], help=f"what is read (default: {LEVELS[0]})"
    )


def _add_report(commands: Any) -> None:
    parser = _add_command(
        commands,
        "report",
        "write the centrality report: who connects the network",
        """\
        The report says what was computed, on which revision, how sure it is, and what is not
        known. Projections: default (all ties), memberships, agreements, projects. An empty
        store is given the seeds first. With --commit the measures become fields of
        organisations (docs/reports-as-data.md), and a report is written out only where --out or
        --format asks for it; there, the projection `all` stands for all four.

        examples:
          python server.py report --out report.html
          python server.py report --commit --projection all
          python server.py report --projection agreements --format md
          python server.py report --format csv --out centralities.csv --lang fr
        """,
    )
    parser.add_argument(
        "--projection", default="default", metavar="NAME", help="which network (default: default)"
    )
    parser.add_argument(
        "--format", choices=REPORT_FORMATS, help="default: by the name of FILE, else html"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")
    parser.add_argument("--lang", choices=LANGUAGES, default="en", help="language (default: en)")
    _add_level(parser)
    parser.add_argument(
        "--commit",
        action="store_true",
        help="record the measures as data, in place of the last report of the projection",
    )


def _add_question(commands: Any) -> None:
    parser = _add_command(
        commands,
        "question",
        "list the questions of the library, or ask one",
        """\
        Without NAME it lists the questions. NAME is a question's number or whole name. What it is
        about is set by --param, as often as needed; what is not set has its default. Of an IRI of
        ours the end will do: organisation/cta. CSV and TSV hold one table, JSON holds all; turtle,
        nt, rdfxml and jsonld are for questions whose answer is a graph. The same questions have
        pages at /questions, which name their parameters (docs/linked-data.md). An empty store is
        given the seeds first.

        examples:
          python server.py question
          python server.py question 3 --param cluster=organisation/femac
          python server.py question 12 --param deadline=2027-06-30 --table 3 --out unknown.csv
          python server.py question 2 --format json --lang fr
          python server.py question 42 --out network.ttl
        """,
    )
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="number or name of a question; none lists them"
    )
    parser.add_argument(
        "--param", action="append", metavar="NAME=VALUE", help="what it is about; repeat"
    )
    parser.add_argument("--table", metavar="N", help="which table, counted from 1 (default: 1)")
    parser.add_argument(
        "--format", choices=QUESTION_FORMATS, help="default: by the name of FILE, else csv"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")
    parser.add_argument("--lang", choices=LANGUAGES, default="en", help="language (default: en)")


def _add_check(commands: Any) -> None:
    parser = _add_command(
        commands,
        "check",
        "verify the store: log, derived data, shapes",
        """\
        Verifies every record and payload of the log and their chain, compares the dataset hash
        of the log, the snapshot and the SPARQL store by reading all of them, and checks the
        whole dataset against the shapes. Changes nothing. Exit code 0 says that all is well.
        Of a SPARQL server of others (RHIZOME_SPARQL) the marker and the number of statements of
        each graph are compared, with --deep every statement.

        examples:
          python server.py check
          RHIZOME_SPARQL=http://127.0.0.1:7878/query python server.py check --deep
          python server.py check --store /srv/rhizome && echo all well
        """,
    )
    parser.add_argument(
        "--deep", action="store_true", help="read a SPARQL server of others whole, too"
    )


def _add_token(commands: Any) -> None:
    parser = commands.add_parser(
        "token",
        help="make, list and revoke access tokens",
        description="Make, list and revoke access tokens.",
        epilog="commands: token create, token list, token revoke\n"
        "  python server.py token create --help\n\n" + _EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    create = _add_command(
        kinds,
        "create",
        "make an access token and print it, this once",
        """\
        A token goes into the header `Authorization: Bearer rhz_...`. It is printed to standard
        output and kept nowhere: the store has its hash alone. Whoever has it may do what its
        scopes say until it expires. It can be used at once, also while a server runs. Tokens of
        one name act as one agent: what the old one wrote the new one may change.

        scopes: write (mutations, into sources of its own), explain (how a query is answered),
        changes (what was changed, from the log), admin (the queries that run: seen and stopped).
        A token that reads more than everyone (--level partner or restricted, docs/visibility.md)
        needs none.

        examples:
          python server.py token create --scope write --name observatory --expires 30d
          python server.py token create --scope write --scope changes --expires 2027-03-31
          python server.py token create --level partner --name ministry
        """,
    )
    create.add_argument("--scope", action="append", metavar="SCOPE", help="what it allows; repeat")
    create.add_argument(
        "--level", choices=LEVELS, default=LEVELS[0], help=f"what it reads (default: {LEVELS[0]})"
    )
    create.add_argument(
        "--expires", metavar="WHEN", help="a day (until its end, UTC) or days, 30d (default: 90d)"
    )
    create.add_argument("--name", help="under which it acts (default: its identifier)")
    create.add_argument(
        "--source", action="append", metavar="IRI", help="a source begun by others to write; repeat"
    )
    _add_command(
        kinds,
        "list",
        "list the access tokens, without their secrets",
        """\
        One line a token: identifier, name, state, scopes, when it was made and when it expires.

        examples:
          python server.py token list
        """,
    )
    revoke = _add_command(
        kinds,
        "revoke",
        "revoke an access token, at once",
        """\
        From the next request on it is refused, also by a server that runs. A name revokes all
        tokens of that name.

        examples:
          python server.py token revoke 3kT9xQ2a
          python server.py token revoke observatory
        """,
    )
    revoke.add_argument("token", metavar="TOKEN", help="identifier or name, see `token list`")


def _add_queries(commands: Any) -> None:
    parser = _add_command(
        commands,
        "queries",
        "list the SPARQL queries that run, or stop one",
        """\
        One line a query, the oldest first: identifier, lane (waiting, fast, slow), seconds since it
        came, who asks (anonymous or token, never which), and the text, shortened. `kill` and an
        identifier stops it: who asked is told so (503, QUERY_STOPPED).

        examples:
          python server.py queries
          python server.py queries --json
          python server.py queries kill q17
        """,
    )
    parser.add_argument("--json", action="store_true", help="write an object of JSON a line")
    parser.add_argument("kind", nargs="?", choices=("kill",), help="stop the query named after it")
    parser.add_argument("id", nargs="?", metavar="ID", help="identifier of a query, as listed")
