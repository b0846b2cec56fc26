"""What the commands on access tokens do, in a running server or alone.

Floor 5. A new token goes to standard output, once; all that is said about it goes to standard
error, so that `TOKEN=$(... token create ...)` holds the token and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from graph.store.access_tokens import Token, Tokens
from web.control import Piece


def _create(tokens: Tokens, arguments: Mapping[str, Any]) -> Iterator[Piece]:
    """Make a token."""
    text, token = tokens.create(
        map(str, arguments["scopes"]),
        expires=arguments.get("expires"),
        name=arguments.get("name"),
        sources=map(str, arguments.get("sources") or ()),
        level=arguments.get("level"),
    )
    yield Piece.say(
        f"token {token.id} of {token.name}, scopes {', '.join(token.scopes) or 'none'}, "
        f"level {token.level}, valid until "
        f"{token.expires}; it is shown this once:"
    )
    yield Piece.out(f"{text}\n".encode())


def _list(tokens: Tokens, arguments: Mapping[str, Any]) -> Iterator[Piece]:
    """List the tokens."""
    known = tokens.all()
    now = time.time()
    for token in known:
        yield Piece.out(f"{_line(token, now)}\n".encode())
    yield Piece.say(f"{len(known)} tokens, {sum(t.state(now) == 'valid' for t in known)} valid")


def _revoke(tokens: Tokens, arguments: Mapping[str, Any]) -> Iterator[Piece]:
    """Revoke a token, or all of a name."""
    for token in tokens.revoke(str(arguments["token"])):
        yield Piece.say(f"token {token.id} of {token.name} is revoked")


def _line(token: Token, now: float) -> str:
    scopes = ",".join(token.scopes) or "-"
    sources = f" sources {' '.join(token.sources)}" if token.sources else ""
    state = f"{token.state(now):8} {token.level:10} {scopes:24}"
    return (
        f"{token.id}  {token.name:20} {state} made {token.created} until {token.expires}{sources}"
    )


TOKEN_COMMANDS: Final[Mapping[str, Callable[[Tokens, Mapping[str, Any]], Iterator[Piece]]]] = {
    "token create": _create,
    "token list": _list,
    "token revoke": _revoke,
}
