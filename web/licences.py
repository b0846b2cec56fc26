"""Whether several licences hold for what pages show, found out once a version.

Floor 5. The rule is in `graph/curation/licences.py`; the texts are the pages'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graph.curation.licences import read_licences

if TYPE_CHECKING:
    from graph.store.snapshot import Snapshot


class Licences:
    """Whether the data stands under several licences, found out once a version: every page says so.

    Safe from several threads: what is remembered is replaced as a whole.
    """

    def __init__(self) -> None:
        self._known: tuple[tuple[int, int], bool] | None = None

    def are_several(self, snapshot: Snapshot) -> bool:
        """Tell whether a version stands under more licences than that of the compilation."""
        version, known = (snapshot.revision, snapshot.dataset_hash), self._known
        if known is None or known[0] != version:
            known = self._known = version, len(read_licences(snapshot)) > 1
        return known[1]
