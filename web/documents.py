"""GraphQL documents that clients name by their hash, so that they need not send the text.

Floor 5. Takes the `documentId` of GraphQL over HTTP and the `persistedQuery` extension that
Apollo's clients and urql speak: a hash alone is answered if its text is known, else the client is
told so and sends text and hash together, once. Used in the loop's thread alone.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from graph.errors import BadValueError, UnknownDocumentError

_HASH: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.ASCII)
_EXTENSION: Final = "persistedQuery"


class Documents:
    """Texts by their SHA-256, the least recently used dropped above a size in bytes."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.bytes_held = 0
        self._texts: OrderedDict[str, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._texts)

    def text(self, digest: str) -> str:
        """Return the text of a hash.

        Raises
        ------
        UnknownDocumentError
            Nobody sent it, or it was dropped since: send text and hash together.
        """
        if digest not in self._texts:
            raise UnknownDocumentError(digest)
        self._texts.move_to_end(digest)
        return self._texts[digest]

    def learn(self, text: str) -> None:
        """Keep a text that was found valid."""
        digest, size = hash_document(text), len(text.encode())
        if digest in self._texts or size > self.limit_bytes:
            return
        self._texts[digest] = text
        self.bytes_held += size
        while self.bytes_held > self.limit_bytes:
            _, dropped = self._texts.popitem(last=False)
            self.bytes_held -= len(dropped.encode())


def hash_document(text: str) -> str:
    """Return the SHA-256 of a document in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def named_document(asked: Mapping[str, Any]) -> str | None:
    """Return the hash by which a request names its document, or None.

    Raises
    ------
    BadValueError
        The name is no hash, or not the hash of the text that comes with it.
    """
    place, name = "documentId", asked.get("documentId")
    extension = (asked.get("extensions") or {}).get(_EXTENSION)
    if name is None and extension is not None:
        place = f"extensions.{_EXTENSION}.sha256Hash"
        name = extension.get("sha256Hash") if isinstance(extension, dict) else extension
    if name is None:
        return None
    found = _HASH.fullmatch(name) if isinstance(name, str) else None
    if found is None:
        raise BadValueError(
            place, str(name)[:80], "the SHA-256 of a document, 64 hexadecimal digits"
        )
    query = asked.get("query")
    if isinstance(query, str) and query and hash_document(query) != found[1]:
        raise BadValueError(place, found[1], "the SHA-256 of the `query` that comes with it")
    return found[1]
