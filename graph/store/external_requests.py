"""What the follower asks of a SPARQL server of others: one table, one update.

Floor 1. What fails comes out as one error that names the server and the reason, in words that
hold no secret. Queries of clients go another way (`external_pool`).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from graph.errors import StoreUnavailableError
from graph.settings import Settings
from graph.store import external_answers as answers
from graph.store import results
from graph.store.sparql_address import Address, Credentials, read_address
from graph.store.sparql_client import Call, Pairs, Reply, ServerFailedError, SparqlClient

_BYTES: Final = 16 * 1024 * 1024
_REFUSALS: Final = (401, 403)
_DETAIL: Final = 300


class Requests:
    """Requests to the server of the settings; `place` is what messages call it.

    Raises
    ------
    SettingError
        An address or the credentials cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.credentials = Credentials.of(settings)
        self.query_address = read_address("sparql", settings.sparql)
        self.update_address = self.query_address
        if settings.sparql_update:
            self.update_address = read_address("sparql_update", settings.sparql_update)
        self.graphs_address: Address | None = None
        if settings.sparql_graphs:
            self.graphs_address = read_address("sparql_graphs", settings.sparql_graphs)
        self.place = self.query_address.shown
        addresses = (self.query_address, self.update_address, self.graphs_address)
        is_open = any(each is not None and each.is_open for each in addresses)
        #: Whether credentials go over plain http to another machine.
        self.is_open_to_eavesdroppers = is_open and self.credentials.header is not None
        self.client = SparqlClient(self.credentials)
        self._settings = settings

    def select(self, text: str, seconds: float) -> list[Mapping[str, str]]:
        """Return the rows of a table, values by the name of their column.

        Raises
        ------
        StoreUnavailableError
            The server does not answer in time, or not with a whole table.
        """
        form = Pairs((("query", text),))
        reply = self._post(self.query_address, form, answers.TABLE_ACCEPT, seconds, True)
        try:
            return read_rows(reply)
        except (answers.UnreadableError, results.AnswerTooLargeError) as error:
            raise self.unavailable(str(error) or "its answer is too large") from error

    def update(self, text: str) -> None:
        """Send an update.

        Raises
        ------
        StoreUnavailableError
            It was not done, or nobody knows.
        """
        form = Pairs((("update", text),))
        self._post(self.update_address, form, "*/*", self._settings.sparql_feed_s, False)

    def _post(
        self, address: Address, form: Pairs, accept: str, seconds: float, is_repeatable: bool
    ) -> Reply:
        try:
            reply = self.client.post(
                address,
                form,
                accept,
                Call(seconds),
                bytes_max=_BYTES,
                is_repeatable=is_repeatable,
            )
        except ServerFailedError as error:
            raise self.unavailable(error.reason) from error
        if reply.status not in (200, 201, 202, 204):
            raise self.unavailable(explain_status(reply, self.credentials))
        return reply

    def unavailable(self, reason: str) -> StoreUnavailableError:
        """Return the error that names the server and a reason."""
        return StoreUnavailableError(f"the SPARQL server fails: {reason}")


def read_rows(reply: Reply) -> list[Mapping[str, str]]:
    """Return the rows of a table, values by the name of their column.

    Raises
    ------
    UnreadableError, AnswerTooLargeError
        It is no whole table.
    """
    received = answers.Received(reply.media_type, reply.body, reply.is_cut)
    table, is_cut = answers.read_table(received)
    if isinstance(table, bool) or is_cut:
        raise answers.UnreadableError("it answered no whole table")
    return [{name: term.value for name, term in row.items()} for row in table]


def explain_status(reply: Reply, credentials: Credentials) -> str:
    """Return what a status that is no success means, with the server's own words, no secrets."""
    if reply.status in _REFUSALS:
        return (
            f"it refuses our credentials (HTTP {reply.status}): see RHIZOME_SPARQL_USER, "
            "RHIZOME_SPARQL_PASSWORD and RHIZOME_SPARQL_TOKEN"
        )
    if 300 <= reply.status < 400:
        return (
            f"it leads elsewhere (HTTP {reply.status}), which is not followed: name the address "
            "that it leads to"
        )
    words = read_words(reply, credentials)
    return f"HTTP {reply.status}{f': {words}' if words else ''}"


def read_words(reply: Reply, credentials: Credentials) -> str:
    """Return the beginning of a server's message as one line of text; nothing of HTML."""
    if reply.media_type in ("text/html", "application/xhtml+xml"):
        return ""
    text = ""
    with suppress(UnicodeDecodeError):
        text = reply.body[: 4 * _DETAIL].decode("utf-8", "replace")
    text = "".join(c if c.isprintable() else " " for c in credentials.redact(text))
    return " ".join(text.split())[:_DETAIL]
