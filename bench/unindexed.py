"""The service without its search index, so that what that takes can be told from the rest.

`python -m bench.unindexed serve ...` is `server.py serve ...`, except that searches are refused.
"""

from __future__ import annotations

import sys
from unittest.mock import patch

import server
from graph.store.dataset import Dataset

if __name__ == "__main__":
    patch.object(Dataset, "index_texts", lambda self: None).start()
    sys.exit(server.main(sys.argv[1:]))
