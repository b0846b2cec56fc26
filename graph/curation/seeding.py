"""The seeds: loaded on the first start, replaced when they are newer than those in the store.

Floor 2. A graph that the last seeds wrote is theirs: it is replaced, or emptied when it left
them. A graph that anyone else wrote stays as it is, even if the seeds now bring one of its name.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from graph.curation.computed import computed_graphs
from graph.curation.formats import open_file, read_own
from graph.curation.gate import SEEDS, Gate, Receipt
from graph.errors import DataError
from graph.store.commit import Change
from graph.store.log import Log
from graph.store.snapshot import Snapshot
from graph.terms import Quad

_log = logging.getLogger("rhizome.seeds")
_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")


def seed(gate: Gate, folder: Path) -> Receipt | None:
    """Load the seeds if the store is empty, or replace those of an earlier version.

    Parameters
    ----------
    gate : Gate
        The gate of the dataset.
    folder : Path
        Holds the seeds, `*.trig`.

    Returns
    -------
    Receipt
        Of the commit; None when the store holds these seeds, or was begun without any.

    Raises
    ------
    DataError
        The seeds of a first start cannot be loaded. Newer seeds that do not fit what stands in
        users' graphs are left out with a word in the log; the earlier ones stay.
    """
    log = gate.dataset.log
    files = sorted(folder.glob("*.trig"))
    digest = digest_files(files)
    last = last_digest(log)
    if log.revision > 0 and last in (None, digest):
        return None
    change = Change((), (), "server", SEEDS, f"seeds sha256:{digest}")
    try:
        wanted = gate.read(read_own(open_file(path)) for path in files)
        receipt = gate.settle(change, lambda sight: _difference(sight.snapshot, wanted, log))
    except DataError as error:
        if log.revision == 0:
            raise
        _log.error("the newer seeds are not loaded: %s", error)
        return None
    return receipt if receipt.added or receipt.removed else None


def digest_files(files: Sequence[Path]) -> str:
    """Return the SHA-256 (hex) of the names and contents of files."""
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def last_digest(log: Log) -> str | None:
    """Return the digest of the seeds that were loaded last, or None if none were."""
    revision = log.latest.get(SEEDS)
    if revision is None:
        return None
    header = next(log.headers(revision - 1))
    found = _DIGEST.search(header.message)
    return found[1] if found else ""


def _difference(
    snapshot: Snapshot, wanted: Iterable[Quad], log: Log
) -> tuple[list[Quad], list[Quad]]:
    """Return what to add and remove so that seed graphs hold what is wanted."""
    others = {f"<{graph}>" for graph, activity in log.writers.items() if activity != SEEDS}
    others |= computed_graphs(snapshot)  # seeds that lack what they measure write there, too
    foreign = {graph for graph in snapshot.graphs() if graph in others}
    target = {quad for quad in wanted if quad[3] not in foreign}
    held = [quad for quad in snapshot.quads() if quad[3] not in foreign and quad not in target]
    kept_out = {quad[3] for quad in wanted} & foreign
    for graph in sorted(kept_out):
        _log.warning("the graph %s was written by a user and stays: not seeded", graph)
    return sorted(target), held
