"""Every setting with name, default, unit and help; read from `RHIZOME_...` variables.

Floor 0. One frozen dataclass is the whole table: the command line, the limits and the generated
page `docs/settings.md` are read from its fields.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from graph.errors import SettingError

PREFIX = "RHIZOME_"


def _setting(default: Any, unit: str, text: str) -> Any:
    return field(default=default, metadata={"unit": unit, "help": text})


def _secret(text: str) -> Any:
    return field(default="", repr=False, metadata={"unit": "secret", "help": text})


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set, each field also as the variable `RHIZOME_` and its name in capitals."""

    store: Path = _setting(Path("var/store"), "folder", "where log and derived stores live")
    host: str = _setting("127.0.0.1", "address", "address to listen on")
    port: int = _setting(8000, "port", "port to listen on")
    base_url: str = _setting("", "URL", "public address; its path goes before every link of a page")
    languages: str = _setting("en,fr", "tags", "fallback chain of languages, first preferred")
    log_level: str = _setting("info", "level", "debug, info, warning or error")
    trusted_proxies: str = _setting("", "addresses", "proxies whose X-Forwarded-For is believed")

    graphql_body_bytes: int = _setting(256 * 1024, "bytes", "largest GraphQL request")
    sparql_body_bytes: int = _setting(64 * 1024, "bytes", "largest SPARQL request")
    upload_bytes: int = _setting(20 * 1024 * 1024, "bytes", "largest upload as sent")
    upload_inflated_bytes: int = _setting(100 * 1024 * 1024, "bytes", "largest upload unpacked")
    upload_ratio: int = _setting(100, "times", "largest ratio of unpacked to sent size")
    header_bytes: int = _setting(32 * 1024, "bytes", "largest request head")
    header_deadline_s: float = _setting(10.0, "seconds", "time to send a request head")
    body_deadline_s: float = _setting(30.0, "seconds", "time to send a request body")
    cors_origins: str = _setting(
        "*", "origins", "pages that may ask, by commas; *: all; empty: none"
    )
    connections: int = _setting(512, "connections", "open connections in all")
    connections_per_address: int = _setting(32, "connections", "open connections of an address")

    sparql: str = _setting(
        "", "URL", "query address of a SPARQL server to ask in place of the embedded workers"
    )
    sparql_update: str = _setting("", "URL", "its update address; empty: the same")
    sparql_graphs: str = _setting(
        "", "URL", "its graph store address, to read graphs whole; empty: none"
    )
    sparql_user: str = _setting("", "name", "its user, for Basic authentication")
    sparql_password: str = _secret("password of that user")
    sparql_token: str = _secret("its bearer token, in place of user and password")
    sparql_merged: str = _setting(
        "default", "place", "of its merged triples: default graph, or named where it has none"
    )
    sparql_connections: int = _setting(8, "connections", "queries that it is asked at once")
    sparql_feed_s: float = _setting(600.0, "seconds", "wall time of one update or count of it")
    sparql_feed_statements: int = _setting(
        500, "statements", "written to it by one update, at most"
    )
    sparql_probe_s: float = _setting(5.0, "seconds", "time it has to tell what it holds")
    sparql_check_s: float = _setting(15.0, "seconds", "how often it is asked what it holds")
    sparql_retry_s: float = _setting(
        1.0, "seconds", "first pause after it failed; doubled up to 30"
    )
    sparql_refeed_s: float = _setting(
        600.0, "seconds", "pause before it is fed anew when that did not help"
    )

    sparql_deadline_s: float = _setting(5.0, "seconds", "wall time of a public SPARQL query")
    sparql_token_deadline_s: float = _setting(30.0, "seconds", "the same with a token")
    sparql_admin_deadline_s: float = _setting(120.0, "seconds", "the same with the scope `admin`")
    sparql_inline_steps: int = _setting(
        1_000, "steps", "work of a short query answered without a worker; 0: none"
    )
    sparql_fast_s: float = _setting(0.3, "seconds", "time in the fast lane before the slow one")
    sparql_memory_mb: int = _setting(512, "MB", "memory of a query above the worker's base")
    sparql_nesting: int = _setting(64, "levels", "nested brackets in a SPARQL text")
    sparql_patterns: int = _setting(40, "patterns", "triple patterns in one group")
    sparql_operators: int = _setting(500, "operators", "operators in a SPARQL text")
    sparql_values: int = _setting(10_000, "terms", "terms in VALUES")
    sparql_operations: int = _setting(100, "operations", "operations of one SPARQL update")
    sparql_rows: int = _setting(10_000, "rows", "solutions or triples answered by one query")
    sparql_token_rows: int = _setting(
        1_000_000, "rows", "solutions streamed to one query with a token"
    )
    sparql_token_bytes: int = _setting(
        1024 * 1024 * 1024, "bytes", "bytes streamed to one query with a token"
    )
    sparql_spool_mb: int = _setting(
        1024, "MB", "disk for answers that are made faster than they are read, in all"
    )
    sparql_cache_mb: int = _setting(64, "MB", "SPARQL answers kept until the next commit; 0: none")
    repeats_mb: int = _setting(
        16, "MB", "kept answers found by a request's bytes, until the next commit; 0: none"
    )
    sparql_updates: int = _setting(2, "updates", "SPARQL updates worked out at a time")
    sparql_changes: int = _setting(
        100_000, "quads", "quads that one SPARQL update may add or remove"
    )
    sparql_held_statements: int = _setting(
        250_000, "statements", "largest store that SPARQL workers hold in memory, 350 bytes each"
    )
    sparql_fast_workers: int = _setting(2, "processes", "workers of the fast lane")
    sparql_slow_workers: int = _setting(1, "processes", "workers of the slow lane")
    sparql_queue: int = _setting(32, "queries", "queries that may wait for a worker")
    sparql_queue_s: float = _setting(2.0, "seconds", "how long a query may wait for a worker")
    parse_deadline_s: float = _setting(60.0, "seconds", "wall time of parsing one file")
    parse_memory_mb: int = _setting(2048, "MB", "memory of parsing one file")
    nested_nodes: int = _setting(1_000, "levels", "nested nodes or lists in an RDF file")

    graphql_depth: int = _setting(10, "levels", "nested entities in one operation")
    graphql_aliases: int = _setting(30, "aliases", "aliases in one document")
    graphql_tokens: int = _setting(2_000, "tokens", "tokens in one document")
    graphql_fields: int = _setting(
        2_000, "fields", "fields of one operation, fragments opened at each place"
    )
    graphql_root_fields: int = _setting(20, "fields", "root fields of one operation")
    graphql_directives: int = _setting(50, "directives", "directives in one document")
    graphql_introspection: int = _setting(
        1, "fields", "`__schema` and `__type` in one operation; 0: the schema is not described"
    )
    graphql_suggestions: int = _setting(
        1, "switch", "whether an error names fields that are near; 0: it does not"
    )
    graphql_conditions: int = _setting(
        1_000, "conditions", "conditions, values in lists and keys of orders in one operation"
    )
    graphql_languages: int = _setting(20, "tags", "languages that one `lang` of a field names")
    graphql_cost: int = _setting(1_000_000, "nodes", "estimated cost of one operation")
    graphql_nodes: int = _setting(20_000, "nodes", "nodes that one operation may produce")
    graphql_token_nodes: int = _setting(100_000, "nodes", "the same with a token")
    graphql_answer_bytes: int = _setting(32 * 1024 * 1024, "bytes", "largest GraphQL answer")
    graphql_inline_cost: int = _setting(2_000, "nodes", "cost above which a thread executes")
    graphql_cache_mb: int = _setting(64, "MB", "answers kept until the next commit; 0: none")
    graphql_documents_mb: int = _setting(16, "MB", "documents known by their hash; 0: none")
    graphql_queue: int = _setting(
        256, "requests", "requests that may wait for a thread of one kind"
    )
    graphql_plans: int = _setting(1_000, "plans", "compiled operations kept")
    graphql_writes: int = _setting(500, "acts", "creates, updates and deletes of one mutation")
    message_characters: int = _setting(500, "characters", "longest message of a mutation")
    changes_entities: int = _setting(1_000, "entities", "entities listed of one change")
    changes_statements: int = _setting(
        20_000, "statements", "statements of the log read for the changes of one request"
    )
    idempotency_keys: int = _setting(10_000, "keys", "idempotency keys remembered")
    page_size: int = _setting(50, "items", "page size when none is asked")
    page_size_max: int = _setting(500, "items", "largest page size")

    subscriptions: int = _setting(5_000, "subscriptions", "subscriptions that run at once, in all")
    subscriptions_per_connection: int = _setting(50, "subscriptions", "the same on one connection")
    subscription_connections: int = _setting(
        256, "connections", "connections for subscriptions, in all"
    )
    subscription_connections_per_address: int = _setting(
        16, "connections", "connections for subscriptions of an address"
    )
    subscription_message_bytes: int = _setting(64 * 1024, "bytes", "largest message over WebSocket")
    subscription_messages: int = _setting(
        240, "messages a minute", "messages of one WebSocket; more close it; 0: no limit"
    )
    subscription_init_s: float = _setting(10.0, "seconds", "time to begin with connection_init")
    subscription_idle_s: float = _setting(
        300.0, "seconds", "how long a WebSocket without subscription is kept"
    )
    subscription_alive_s: float = _setting(
        20.0, "seconds", "signs of life between messages; a WebSocket that gives none is closed"
    )
    subscription_backlog: int = _setting(
        16, "revisions", "told one by one to who is slow; beyond, they are told as one"
    )
    subscription_resume: int = _setting(10_000, "revisions", "how far back sinceRevision may lie")
    subscription_resume_statements: int = _setting(
        50_000, "statements", "statements that may have changed since sinceRevision"
    )
    subscription_cache_mb: int = _setting(
        16, "MB", "notices kept for others who ask the same; 0: none"
    )

    export_depth: int = _setting(3, "steps", "how far an export around an entity may reach")
    export_statements: int = _setting(
        100_000, "statements", "statements of an export around an entity"
    )

    export_replay_s: float = _setting(
        120.0, "seconds", "time to make an old revision anew from the log"
    )
    export_replay_mb: int = _setting(2048, "MB", "memory of the process that does so")
    export_files: int = _setting(1, "files", "export files that are written at a time")
    export_queue: int = _setting(8, "files", "export files that may wait to be written")
    export_cache_mb: int = _setting(
        1024, "MB", "export files kept on disk; beside these, the newest one"
    )

    entity_values: int = _setting(50, "values", "values of a field on one page of an entity")
    entity_statements: int = _setting(
        10_000, "statements", "statements in the description of an entity as data"
    )
    void_sources: int = _setting(2_000, "sources", "sources that VoID and DCAT describe one by one")
    question_pages: int = _setting(20, "pages", "pages of a list that one question follows")
    question_choices: int = _setting(
        300, "entities", "entities that the form of a question offers; of more, a text field"
    )
    changes_bytes: int = _setting(
        8 * 1024 * 1024, "bytes", "of the log in one answer of /changes; one commit always fits"
    )
    changes_commits: int = _setting(1_000, "commits", "commits in one answer of /changes")
    changes_wait_s: float = _setting(30.0, "seconds", "longest `wait` of /changes")
    changes_readers: int = _setting(
        64, "requests", "requests to /changes at once, waiting ones too"
    )
    follow: str = _setting("", "URL", "writer whose log this process copies, as a read replica")
    follow_token_file: str = _setting(
        "", "file", "holds the token, of scope `changes`, that the writer is asked with"
    )
    follow_interval_s: float = _setting(
        0.1, "seconds", "least time between two requests to the writer"
    )
    follow_wait_s: float = _setting(
        20.0, "seconds", "how long the writer is asked to wait for a commit"
    )
    follow_deadline_s: float = _setting(
        10.0, "seconds", "silence, beyond that wait, after which the writer counts as lost"
    )
    follow_pause_s: float = _setting(
        30.0, "seconds", "longest pause before a writer that failed is asked again"
    )
    follow_record_bytes: int = _setting(
        64 * 1024 * 1024, "bytes", "longest record of the log that is taken from a writer"
    )
    follow_behind_s: float = _setting(
        0.0, "seconds", "time without news of the writer until /ready says 503; 0: never"
    )

    search_letters: int = _setting(200, "characters", "longest text to search for")
    search_words: int = _setting(16, "words", "distinct words to search for")
    search_choices: int = _setting(50, "items", "classes or languages that one search names")
    search_hits: int = _setting(1_000, "hits", "hits of one search, over all its pages")

    rate_api: int = _setting(120, "requests a minute", "API requests of an address; 0: no limit")
    rate_pages: int = _setting(1_200, "requests a minute", "pages and assets; 0: no limit")
    rate_query_s: float = _setting(
        20.0, "seconds a minute", "query time, SPARQL and dear GraphQL; 0: no limit"
    )
    rate_token_api: int = _setting(
        1_200, "requests a minute", "requests of a token, to whatever path; 0: no limit"
    )
    rate_token_query_s: float = _setting(
        120.0, "seconds a minute", "query time of a token; 0: no limit"
    )
    token_days: int = _setting(90, "days", "how long a token is valid when nothing is said")
    token_days_max: int = _setting(366, "days", "how long a token may be valid")

    literal_bytes: int = _setting(64 * 1024, "bytes", "longest literal")
    iri_bytes: int = _setting(2 * 1024, "bytes", "longest IRI")
    number_digits: int = _setting(64, "characters", "longest number")
    revision_wait_s: float = _setting(2.0, "seconds", "wait for Rhizome-Min-Revision")
    checkpoint_s: float = _setting(0.03, "seconds", "commits gathered into one checkpoint")
    stalled_s: float = _setting(60.0, "seconds", "how long a client may take nothing of an answer")
    stop_s: float = _setting(10.0, "seconds", "time for open requests at SIGTERM")

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, **overrides: Any
    ) -> Settings:
        """Return the settings of the environment; `overrides` (not None) win.

        Raises
        ------
        SettingError
            A variable holds a value of the wrong kind, or no setting has its name.
        """
        given = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        by_variable = {variable_name(f.name): f for f in fields(cls)}
        for variable, text in given.items():
            if not variable.startswith(PREFIX) or variable.startswith(f"{PREFIX}TEST_"):
                continue
            if variable not in by_variable:
                near = difflib.get_close_matches(variable, by_variable, n=3)
                hint = f"; did you mean {' or '.join(near)}?" if near else ""
                raise SettingError(variable, text, f"a setting (docs/settings.md){hint}")
            values[by_variable[variable].name] = _read(variable, text, by_variable[variable])
        values.update({name: value for name, value in overrides.items() if value is not None})
        return cls(**values)

    def __post_init__(self) -> None:
        """Make the store's path absolute: workers run in another folder."""
        object.__setattr__(self, "store", self.store.absolute())

    @property
    def language_chain(self) -> tuple[str, ...]:
        """The languages in order of preference."""
        return tuple(tag.strip().lower() for tag in self.languages.split(",") if tag.strip())


def variable_name(setting: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + setting.upper()


def _read(variable: str, text: str, setting: Any) -> Any:
    """Return the text as the kind of the setting's default."""
    assert setting.default is not MISSING
    kind = type(setting.default)
    try:
        value = kind(text)
    except ValueError:
        expected = "a whole number" if kind is int else "a number"
        raise SettingError(variable, text, expected) from None
    if kind in (int, float) and not 0 <= value < float("inf"):
        raise SettingError(variable, text, "a number of at least 0")
    return value
