"""Where a SPARQL server of others is, and what it knows us by: read from the settings.

Floor 1. Whatever may be a secret stands in no message, no log and no representation.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from graph.errors import SettingError
from graph.settings import Settings, variable_name


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens: scheme, host, port and the path of one of its endpoints."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def shown(self) -> str:
        """What messages call it: without the query, which may hold a key."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path.partition('?')[0]}"

    @property
    def is_open(self) -> bool:
        """Whether who listens on the way reads what is sent: plain http to another machine."""
        return self.scheme == "http" and self.host not in ("127.0.0.1", "::1", "localhost")

    @property
    def place(self) -> tuple[str, str, int]:
        """What a connection leads to."""
        return self.scheme, self.host, self.port


def read_address(setting: str, text: str) -> Address:
    """Return the address in a setting.

    Raises
    ------
    SettingError
        It is no http or https URL, or holds credentials; these are never repeated.
    """
    name = variable_name(setting)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise SettingError(name, "(not shown)", "an http or https URL") from None
    if parts.username is not None or parts.password is not None:
        expected = "a URL without credentials: give these as RHIZOME_SPARQL_USER and _PASSWORD"
        raise SettingError(name, "(not shown)", expected)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
        raise SettingError(name, text.partition("?")[0][:200], "an http or https URL")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii() or any(c <= " " for c in path) or not parts.hostname.isprintable():
        raise SettingError(name, text.partition("?")[0][:200], "a URL in ASCII, percent-encoded")
    default = 443 if parts.scheme == "https" else 80
    return Address(parts.scheme, parts.hostname, default if port is None else port, path)


@dataclass(frozen=True)
class Credentials:
    """What the server wants to know us by: the value of one header, which is never shown."""

    header: str | None = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Credentials:
        """Return those of the settings.

        Raises
        ------
        SettingError
            Both a user and a token are given, a password without a user, or one of them holds
            what no header may hold.
        """
        user, password, token = (
            settings.sparql_user,
            settings.sparql_password,
            settings.sparql_token,
        )
        for name, value in (("sparql_user", user), ("sparql_password", password)):
            if any(c < " " or c == "\x7f" for c in value) or (
                name == "sparql_user" and ":" in value
            ):
                expected = "text without control characters, a user without a colon"
                raise SettingError(variable_name(name), "(not shown)", expected)
        if token and (not token.isascii() or any(c <= " " or c == "\x7f" for c in token)):
            expected = "a bearer token in ASCII without spaces"
            raise SettingError(variable_name("sparql_token"), "(not shown)", expected)
        if (token and (user or password)) or (password and not user):
            expected = "either a user with a password, or a bearer token"
            raise SettingError(variable_name("sparql_user"), user[:80], expected)
        if token:
            return cls(f"Bearer {token}", (token,))
        if user:
            encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
            return cls(f"Basic {encoded}", tuple(filter(None, (encoded, password))))
        return cls(None, ())

    def redact(self, text: str) -> str:
        """Return a text of the server's without what only it and we may know."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text
