"""The live directory of a derived store, read as it lies there: nothing is made, mended, swept.

Floor 1. For whoever verifies a store that nobody has open; what answers queries are checkpoints.
"""

from __future__ import annotations

from pathlib import Path

import pyoxigraph as ox

from graph.errors import StoreCorruptError
from graph.store.directory import StoreDirectory
from graph.store.scan import Scan, read_stamp, scan_store
from graph.store.stamp import Stamp


def scan_live(folder: Path) -> tuple[Stamp, Scan] | None:
    """Return the stamp of the store in a folder and what a full scan of it finds.

    None where no store was built yet.

    Raises
    ------
    StoreCorruptError
        Its pointer or stamp is missing, or the engine cannot read it.
    """
    if not folder.is_dir() or not any(folder.glob("db-*")):
        return None
    place = str(folder)
    try:
        live = StoreDirectory(folder).live()
        if live is None:
            raise StoreCorruptError(place, "the pointer to its live directory is missing")
        database = ox.Store.read_only(str(live))
        stamp = read_stamp(database)
        if stamp is None:
            raise StoreCorruptError(place, "it has no stamp")
        return stamp, scan_store(database, is_deep=True)
    except (OSError, RuntimeError) as error:  # what the engine raises when its files fail it
        raise StoreCorruptError(place, str(error)[:500]) from error
