"""Access tokens: made, listed, revoked, and recognised when they are presented.

Floor 1. One JSON file of mode 0600 in the store's folder, replaced as a whole. It holds no token,
only the SHA-256 of each: a secret of 262 random bits cannot be guessed from its hash, so that a
slow password hash would protect nothing and cost every request. What a token allows is decided
by those who ask for a scope.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import re
import secrets
import string
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson

from graph.access import LEVELS, Level, Scope, Viewer
from graph.errors import (
    BadValueError,
    NotFoundError,
    StoreCorruptError,
    StoreFullError,
    StoreUnavailableError,
    UnauthenticatedError,
)
from graph.settings import Settings
from graph.store.payloads import sync_folder
from graph.terms import fold_nfc, is_iri

NAME: Final = "tokens.json"
#: What every token begins with, so that scanners of code and logs find one that slipped out.
PREFIX: Final = "rhz_"
#: A whole token: prefix, public identifier, secret with its checksum.
FORM: Final = re.compile(r"rhz_(?P<id>[0-9A-Za-z]{8})_(?P<secret>[0-9A-Za-z]{44})[0-9A-Za-z]{6}")
#: What RFC 6750 calls a token that is malformed, unknown, expired or revoked.
INVALID: Final = "invalid_token"
_FORMAT: Final = 1
_ALPHABET: Final = string.digits + string.ascii_letters
_ID_LENGTH: Final = 8
_SECRET_LENGTH: Final = 44  # of 62 characters: 262 bits
_CHECK_LENGTH: Final = 6
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
#: Names under which others act in the log.
_NAMES_TAKEN: Final = frozenset({"anonymous", "server"})
_DAYS: Final = re.compile(r"([1-9][0-9]{0,4})d")
_NO_DIGEST: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token.

    `id` is public and names it in lists and logs, `digest` is the SHA-256 (hex) of its text.
    `created`, `expires` and `revoked` are UTC in ISO 8601. Tokens of one name act as one agent,
    so that a new one can take over from an old one.
    """

    id: str
    name: str
    digest: str
    scopes: tuple[str, ...]
    level: str
    sources: tuple[str, ...]
    created: str
    expires: str
    revoked: str | None = None

    def state(self, now: float) -> str:
        """Return `revoked`, `expired` or `valid`."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if _seconds(self.expires) <= now else "valid"


class Tokens:
    """The tokens of one store. Methods may be called from any thread; one process writes."""

    def __init__(
        self,
        path: Path,
        settings: Settings,
        tokens: Iterable[Token] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._settings = settings
        self._clock = clock
        self._writing = threading.Lock()
        self._take(tokens)

    @classmethod
    def open(cls, settings: Settings, clock: Callable[[], float] = time.time) -> Tokens:
        """Return the tokens of `settings.store`; a file that others may read is closed to them.

        Raises
        ------
        StoreCorruptError
            The file is not what was written.
        StoreUnavailableError
            It cannot be read.
        """
        path = settings.store / NAME
        try:
            content = path.read_bytes()
            path.chmod(0o600)
        except FileNotFoundError:
            return cls(path, settings, (), clock)
        except OSError as error:
            raise StoreUnavailableError(f"{path} cannot be read: {error.strerror}") from error
        return cls(path, settings, _read(content, path), clock)

    def all(self) -> tuple[Token, ...]:
        """Return every token, revoked and expired ones too, the oldest first."""
        return tuple(self._tokens.values())

    def create(
        self,
        scopes: Iterable[str],
        *,
        expires: str | None = None,
        name: str | None = None,
        sources: Iterable[str] = (),
        level: str | None = None,
    ) -> tuple[str, Token]:
        """Return a new token's text, which is kept nowhere, and what is kept of it.

        Parameters
        ----------
        scopes : texts of Scope
            None only where the token reads more than everyone.
        expires : str
            A day (`2027-03-31`, valid until its end, UTC) or a number of days (`30d`); the
            setting `token_days` when None.
        name : str
            Under which the token acts; its identifier when None.
        sources : IRIs
            Sources that it may write although others began them.
        level : str
            What it may read: `public` (when None), `partner` or `restricted`.

        Raises
        ------
        BadValueError
            A parameter cannot be used.
        StoreFullError, StoreUnavailableError
            The file could not be written; there is no new token.
        """
        kinds = tuple(dict.fromkeys(scopes))
        known = [scope.value for scope in Scope]
        reads_more = level is not None and level != LEVELS[0]
        for kind in kinds or (() if reads_more else ("",)):
            if kind not in known:
                raise BadValueError("--scope", kind[:40], f"one of {', '.join(known)}")
        wanted = tuple(dict.fromkeys(map(fold_nfc, sources)))
        for source in wanted:
            if not is_iri(source):
                raise BadValueError("--source", source[:200], "the IRI of a source")
        if name is not None and (not _NAME.fullmatch(name) or name in _NAMES_TAKEN):
            expected = "a name of small letters, digits, dots and hyphens, not that of the server"
            raise BadValueError("--name", name[:80], expected)
        seen = LEVELS[0] if level is None else level
        if seen not in LEVELS:
            raise BadValueError("--level", seen[:40], f"one of {', '.join(LEVELS)}")
        with self._writing:
            identifier = self._free_identifier()
            text = _make_text(identifier)
            token = Token(
                id=identifier,
                name=name or identifier.lower(),
                digest=_digest(text),
                scopes=kinds,
                level=seen,
                sources=wanted,
                created=_write_time(self._clock()),
                expires=self._read_expiry(expires),
            )
            self._save((*self._tokens.values(), token))
        return text, token

    def revoke(self, which: str) -> tuple[Token, ...]:
        """Revoke the token with an identifier, or all valid ones of a name; return them.

        Raises
        ------
        NotFoundError
            There is none that is still valid.
        """
        with self._writing:
            now = self._clock()
            found = [
                token
                for token in self._tokens.values()
                if which in (token.id, token.name) and token.state(now) == "valid"
            ]
            if not found:
                raise NotFoundError(f"a valid token {which[:80]!r}; `token list` shows all")
            gone = {t.id: replace(t, revoked=_write_time(now)) for t in found}
            self._save(gone.get(token.id, token) for token in self._tokens.values())
        return tuple(gone.values())

    def authenticate(self, text: str) -> Viewer:
        """Return the viewer whom a token's text stands for.

        The identifier finds the record, and the digest is compared in constant time.

        Raises
        ------
        UnauthenticatedError
            It is none of these tokens, or it expired or was revoked.
        """
        form = FORM.fullmatch(text)
        token = self._tokens.get(form["id"]) if form else None
        kept = token.digest if token is not None else _NO_DIGEST
        if not hmac.compare_digest(kept, _digest(text)) or token is None:
            raise UnauthenticatedError("the token is not valid", INVALID)
        state = token.state(self._clock())
        if state != "valid":
            raise UnauthenticatedError(f"the token {token.id} is {state}", INVALID)
        return self._viewers[token.id]

    def recheck(self, viewer: Viewer) -> bool:
        """Tell whether the token of a viewer who came earlier is still valid."""
        token = self._tokens.get(viewer.token)
        return token is not None and token.state(self._clock()) == "valid"

    def _take(self, tokens: Iterable[Token]) -> None:
        """Let these be the tokens, for readers in other threads all at once."""
        by_id = {token.id: token for token in tokens}
        self._viewers = {token.id: self._viewer(token) for token in by_id.values()}
        self._tokens = by_id

    def _viewer(self, token: Token) -> Viewer:
        settings = self._settings
        is_admin = Scope.ADMIN in token.scopes
        return Viewer(
            name=token.name,
            level=Level[token.level.upper()],
            scopes=frozenset(token.scopes),
            nodes_max=settings.graphql_token_nodes,
            query_deadline_s=(
                settings.sparql_admin_deadline_s if is_admin else settings.sparql_token_deadline_s
            ),
            token=token.id,
            expires=token.expires,
            sources=frozenset(token.sources),
        )

    def _free_identifier(self) -> str:
        while (identifier := _random(_ID_LENGTH)) in self._tokens:
            pass
        return identifier

    def _read_expiry(self, text: str | None) -> str:
        """Return the moment that an expiry means, at most `token_days_max` days away."""
        longest = self._settings.token_days_max
        now = datetime.fromtimestamp(self._clock(), UTC)
        expected = f"a day to come such as 2027-03-31 or days such as 30d, at most {longest}d away"
        if text is None:
            end = now + timedelta(days=self._settings.token_days)
        elif days := _DAYS.fullmatch(text):
            end = now + timedelta(days=int(days[1]))
        else:
            try:
                day = date.fromisoformat(text)
            except ValueError:
                raise BadValueError("--expires", text[:40], expected) from None
            end = datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)
        if not now < end <= now + timedelta(days=longest + 1):
            raise BadValueError("--expires", text or f"{self._settings.token_days}d", expected)
        return _write_time(end.timestamp())

    def _save(self, tokens: Iterable[Token]) -> None:
        """Replace the file, then believe what stands in it."""
        kept = tuple(tokens)
        content = {"format": _FORMAT, "tokens": [asdict(token) for token in kept]}
        fresh = self._path.with_suffix(".new")
        try:
            fresh.unlink(missing_ok=True)
            with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as f:
                f.write(orjson.dumps(content, option=orjson.OPT_INDENT_2))
                f.flush()
                os.fsync(f.fileno())
            fresh.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StoreFullError(str(self._path)) from error
            detail = f"{self._path} cannot be written: {error.strerror}"
            raise StoreUnavailableError(detail) from error
        self._take(kept)


def _make_text(identifier: str) -> str:
    """Return a token's text; its last characters tell a slip of the pen from a stranger's."""
    body = f"{PREFIX}{identifier}_{_random(_SECRET_LENGTH)}"
    return body + checksum(body)


def checksum(body: str) -> str:
    """Return the six characters that end a token: CRC-32 in base 62."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _write_time(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=0)
    return moment.isoformat().replace("+00:00", "Z")


def _seconds(time_text: str) -> float:
    return datetime.fromisoformat(time_text).timestamp()


def _read(content: bytes, path: Path) -> list[Token]:
    try:
        fields: dict[str, Any] = orjson.loads(content)
        if fields["format"] != _FORMAT:
            raise StoreCorruptError(str(path), "was written by a newer version of this program")
        tokens = [_read_token(each) for each in fields["tokens"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        detail = f"is no list of tokens ({error}): restore it, or remove it to begin anew"
        raise StoreCorruptError(str(path), detail) from error
    return tokens


def _read_token(fields: dict[str, Any]) -> Token:
    lists = {name: tuple(map(str, fields[name])) for name in ("scopes", "sources")}
    token = Token(**{**fields, **lists})
    if (
        not re.fullmatch(r"[0-9a-f]{64}", token.digest)
        or token.level.upper() not in Level.__members__
    ):
        raise ValueError(f"token {token.id}")
    for moment in (token.created, token.expires, token.revoked or token.created):
        _seconds(moment)
    return token
