"""Engines of text search over the same texts: ours, SQLite's FTS5 in two ways, tantivy.

Each is used as its manual shows for search as people type: words by their beginning, the best
first, and, where that gives little, words that a typo away. Texts are folded by our own rules for
all of them, since none folds ß, ø, œ and Greek as we must. tantivy is measured where it can be
imported; the service does not need it.
"""

from __future__ import annotations

import importlib
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final, Protocol

from graph.store.advance import advance
from graph.store.commit import Change, Position, follow
from graph.store.search_text import SearchText, edits_allowed, fold_words
from graph.store.snapshot import Snapshot

#: How many hits are asked for.
HITS: Final = 10


class Engine(Protocol):
    """One way to search; texts come with the number of the node that has them."""

    def build(self, texts: Iterable[tuple[int, str]]) -> None:
        """Index texts."""

    def search(self, text: str) -> Sequence[int]:
        """Return the best ten nodes."""

    def update(self, node: int, texts: Sequence[str]) -> None:
        """Replace the texts of a node, so that the next search sees it."""


class _Start:
    """The place in the log that the first update follows."""

    revision, time, dataset_hash, quad_count = 1, "", 0, 0


class Ours:
    """The index of the service. Texts come from the snapshot itself, and updates from commits."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.last: Position = _Start()

    def build(self, texts: Iterable[tuple[int, str]]) -> None:
        """Index the texts of the snapshot."""
        del texts
        self.snapshot.search.build(self.snapshot)

    def search(self, text: str) -> Sequence[int]:
        """Return the best ten nodes, each checked against the snapshot."""
        found = self.snapshot.search.search(self.snapshot, SearchText.read(text, 1_000, 100))
        return [hit.subject for hit in islice(found, HITS)]

    def update(self, node: int, texts: Sequence[str]) -> None:
        """Advance the snapshot by a commit that takes the old texts away and adds the new."""
        snapshot = self.snapshot
        subject = snapshot.terms.term(node)
        searched = snapshot.search.properties
        removed = [q for q in snapshot.quads_of(subject) if q[1][1:-1] in searched]
        _, predicate, _, graph = removed[0]
        added = [(subject, predicate, f'"{text}"@en', graph) for text in texts]
        change = Change(tuple(added), tuple(removed), "bench", "mutation", "update")
        self.last = follow(self.last, change, added, removed, snapshot.model.version)
        self.snapshot = advance(snapshot, self.last)


class SqliteWords:
    """FTS5 with words and their beginnings; typos by an index of trigrams beside it."""

    tables: tuple[tuple[str, str], ...] = (
        ("words", "tokenize='unicode61 remove_diacritics 0', prefix='1 2 3'"),
        ("trigrams", "tokenize='trigram'"),
    )

    def __init__(self, snapshot: Snapshot) -> None:
        del snapshot
        self.database = sqlite3.connect(":memory:")
        for name, options in self.tables:
            self.database.execute(
                f"CREATE VIRTUAL TABLE {name} USING fts5(text, node UNINDEXED, {options})"
            )
        # FTS5 cannot look a row up by what it does not index.
        self.database.execute("CREATE TABLE held (node INTEGER, entry INTEGER)")
        self.database.execute("CREATE INDEX by_node ON held (node)")
        self.last = 0

    def build(self, texts: Iterable[tuple[int, str]]) -> None:
        """Index texts in one transaction."""
        with self.database:
            for node, text in texts:
                self._insert(node, text)
            for name, _ in self.tables:
                self.database.execute(f"INSERT INTO {name}({name}) VALUES ('optimize')")

    def search(self, text: str) -> Sequence[int]:
        """Return nodes by words that begin so; when they are few, by trigrams."""
        words = fold_words(text)
        found = self._select("words", " ".join(f'"{word}"*' for word in words))
        if len(found) < HITS:
            found += self._select("trigrams", _any_trigram(words))
        return list(dict.fromkeys(found))[:HITS]

    def update(self, node: int, texts: Sequence[str]) -> None:
        """Delete and insert in one transaction."""
        with self.database:
            held = self.database.execute("SELECT entry FROM held WHERE node = ?", (node,))
            for (entry,) in held.fetchall():
                for name, _ in self.tables:
                    self.database.execute(f"DELETE FROM {name} WHERE rowid = ?", (entry,))
            self.database.execute("DELETE FROM held WHERE node = ?", (node,))
            for text in texts:
                self._insert(node, text)

    def _insert(self, node: int, text: str) -> None:
        self.last += 1
        folded = " ".join(fold_words(text))
        for name, _ in self.tables:
            self.database.execute(
                f"INSERT INTO {name}(rowid, text, node) VALUES (?, ?, ?)", (self.last, folded, node)
            )
        self.database.execute("INSERT INTO held VALUES (?, ?)", (node, self.last))

    def _select(self, table: str, query: str) -> list[int]:
        if not query:
            return []
        found = self.database.execute(
            f"SELECT node FROM {table} WHERE {table} MATCH ? ORDER BY rank LIMIT {HITS}", (query,)
        )
        return [node for (node,) in found]


class SqliteTrigrams(SqliteWords):
    """FTS5 with trigrams alone: whatever shares most of them."""

    tables = SqliteWords.tables[1:]

    def search(self, text: str) -> Sequence[int]:
        """Return nodes by trigrams."""
        return self._select("trigrams", _any_trigram(fold_words(text)))


class Tantivy:
    """tantivy: each word as itself, as a beginning, or with edits, all of them demanded."""

    def __init__(self, snapshot: Snapshot) -> None:
        del snapshot
        self.library: Any = importlib.import_module("tantivy")
        builder = self.library.SchemaBuilder()
        builder.add_text_field("text", tokenizer_name="whitespace")
        builder.add_integer_field("node", stored=True, indexed=True, fast=True)
        self.schema = builder.build()
        self.index = self.library.Index(self.schema)
        self.writer = self.index.writer(heap_size=50_000_000, num_threads=1)

    def build(self, texts: Iterable[tuple[int, str]]) -> None:
        """Index texts and commit."""
        for node, text in texts:
            self._add(node, text)
        self._commit()

    def search(self, text: str) -> Sequence[int]:
        """Return nodes whose text has all words, the right ones first."""
        query, occur = self.library.Query, self.library.Occur
        clauses = []
        for word in fold_words(text):
            term = query.boost_query(query.term_query(self.schema, "text", word), 8.0)
            start = query.fuzzy_term_query(
                self.schema, "text", word, distance=0, transposition_cost_one=True, prefix=True
            )
            ways = [(occur.Should, term), (occur.Should, query.boost_query(start, 4.0))]
            if edits := edits_allowed(word):
                near = query.fuzzy_term_query(
                    *(self.schema, "text", word),
                    distance=edits,
                    transposition_cost_one=True,
                    prefix=True,
                )
                ways.append((occur.Should, near))
            clauses.append((occur.Must, query.boolean_query(ways)))
        found = self.searcher.search(query.boolean_query(clauses), HITS)
        nodes = [self.searcher.doc(address)["node"][0] for _, address in found.hits]
        return list(dict.fromkeys(nodes))

    def update(self, node: int, texts: Sequence[str]) -> None:
        """Delete, add, commit and open the reader anew."""
        self.writer.delete_documents_by_term("node", node)
        for text in texts:
            self._add(node, text)
        self._commit()

    def _add(self, node: int, text: str) -> None:
        folded = " ".join(fold_words(text))
        self.writer.add_document(self.library.Document(text=folded, node=node))

    def _commit(self) -> None:
        self.writer.commit()
        self.index.reload()
        self.searcher = self.index.searcher()


ENGINES: Final[dict[str, type[Ours] | type[SqliteWords] | type[Tantivy]]] = {
    "own index": Ours,
    "FTS5: words, then trigrams": SqliteWords,
    "FTS5: trigrams alone": SqliteTrigrams,
    "tantivy": Tantivy,
}


def _any_trigram(words: Sequence[str]) -> str:
    text = " ".join(words)
    trigrams = dict.fromkeys(text[at : at + 3] for at in range(len(text) - 2))
    return " OR ".join(f'"{trigram}"' for trigram in trigrams)
