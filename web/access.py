"""Who asks, read from a request: the bearer token, and the viewer whom it stands for.

Floor 5. The `Authorization` header is looked at once, before anything is counted; what came of it
stands in the request's scope. Without a token nothing is done. Other schemes than Bearer are not
ours (a proxy may ask for them), and leave the caller anonymous.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.types import Scope

from graph.access import Viewer
from graph.errors import UnauthenticatedError
from graph.store.access_tokens import INVALID

if TYPE_CHECKING:
    from graph.store.access_tokens import Tokens

#: Where a request's scope holds the viewer of a valid token, the key under which its use is
#: counted, and the error of one that is not valid.
VIEWER: Final = "rhizome.viewer"
CALLER: Final = "rhizome.caller"
REFUSED: Final = "rhizome.refused"
#: Endpoints that tell in their own protocol that a token is not valid.
TELLING_PATHS: Final = frozenset({"/graphql"})
#: Answers made for a token belong to its owner alone.
PRIVATE: Final = "private, no-store"
_LONGEST: Final = 200


def identify(scope: Scope, tokens: Tokens) -> bool:
    """Tell whether a request presents a valid token, and note in its scope what was found."""
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if not given:
        return False
    found = [value for value in given if value[:7].lower() == b"bearer "]
    if not found:
        return False
    try:
        if len(given) > 1 or len(found[0]) > _LONGEST:
            raise UnauthenticatedError("one token is needed, in one header", INVALID)
        viewer = tokens.authenticate(found[0][7:].strip().decode("latin-1"))
    except UnauthenticatedError as error:
        scope[REFUSED] = error
        return False
    scope[VIEWER] = viewer
    scope[CALLER] = f"token:{viewer.token}"
    return True


def kept_by(scope: Scope) -> str:
    """Return the Cache-Control of an answer: what was made for a token is its owner's alone."""
    return PRIVATE if VIEWER in scope else "no-cache"


def viewer_of(scope: Scope, visitor: Viewer) -> Viewer:
    """Return who asks; without a token it is the `visitor`.

    Raises
    ------
    UnauthenticatedError
        The request presents a token that is not valid.
    """
    if REFUSED in scope:
        raise scope[REFUSED]
    viewer: Viewer = scope.get(VIEWER, visitor)
    return viewer
