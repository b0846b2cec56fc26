"""Who may write which source, decided on the version that a change applies to.

Floor 2. A source belongs to the name that began it, and to tokens that name it. What has just been
decided and is not in the log yet is remembered here, so that two writers cannot begin one source.
"""

from __future__ import annotations

from collections.abc import Callable

from graph.access import Viewer
from graph.curation.gate import Gate
from graph.curation.levels import Sight
from graph.errors import ForbiddenError, UnauthenticatedError
from graph.store.access_tokens import INVALID


class Owners:
    """The owners of the sources of one gate; shared by all who write for users."""

    def __init__(self, gate: Gate, is_valid: Callable[[Viewer], bool] | None = None) -> None:
        """`is_valid` tells whether a viewer's token still holds when its turn comes."""
        self._gate = gate
        self._log = gate.dataset.log
        self._is_valid = is_valid
        self._begun: dict[str, str] = {}  # sources of commits that are not durable yet: who

    def require_valid(self, viewer: Viewer) -> None:
        """Check that a viewer's token still holds.

        Raises
        ------
        UnauthenticatedError
            It expired or was revoked.
        """
        if self._is_valid is not None and not self._is_valid(viewer):
            raise UnauthenticatedError("the token expired or was revoked", INVALID)

    def require_own(self, source: str, viewer: Viewer, sight: Sight) -> None:
        """Let a viewer write sources that its name began, and those that its token names.

        Raises
        ------
        ForbiddenError
            Another began it, or it is above the viewer's level: both are said alike, since the
            name of a source is taken whoever may read it.
        """
        if not sight.levels.is_seen(f"<{source}>", viewer.level):
            raise _another(source)
        if source in viewer.sources or self._gate.is_seed(source):  # the gate refuses seeds
            return
        author = self._log.authors.get(source)
        if author is None and sight.levels.whole.graph_count(f"<{source}>"):
            author = self._begun.get(source, "")  # decided a moment ago, and not durable yet
        if author is not None and author != viewer.name:
            raise _another(source)

    def begin(self, source: str, viewer: Viewer) -> None:
        """Remember who begins a source, if it is new, until the log says it."""
        if source not in self._log.authors:
            self._begun[source] = viewer.name

    def settle(self, source: str) -> None:
        """Forget who begins a source once the log says it, or nobody did."""
        if source in self._log.authors or not self._gate.dataset.snapshot.graph_count(
            f"<{source}>"
        ):
            self._begun.pop(source, None)


def _another(source: str) -> ForbiddenError:
    return ForbiddenError(f"to write into the source {source}, which another began")
