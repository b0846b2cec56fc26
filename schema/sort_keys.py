"""The order of many texts or nodes at once: ranks, found without comparing each by itself.

Floor 4. The first bytes of a text's collation key are kept as two numbers beside the page where the
text stands: they never change, and take 16 bytes a text that was ever put in order. Arrays of them
are sorted as they are; only where two begin alike, whole keys are made and compared.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from graph.store.snapshot import Snapshot
from graph.store.term_table import TermTable
from schema.collation import LENGTH, first_bytes
from schema.turns import sorted_in_turns
from schema.vectors import Batch, Numbers, Places

#: First bytes of collation keys, of shape (n, 2).
_Begins = npt.NDArray[np.uint64]


def rank_texts(terms: TermTable, numbers: Numbers, key: Callable[[str], Any]) -> Places:
    """Return the rank of each literal among some, from 0; those of equal keys have the same.

    Parameters
    ----------
    terms : TermTable
        Where they stand.
    numbers : array of shape (n,)
        Numbers of literals, each once.
    key : function
        By what texts are compared, cut at `LENGTH` characters: the collation key, or a pair that
        begins with it.
    """
    begins = _begins_of(terms, numbers)
    order = np.lexsort((begins[:, 1], begins[:, 0]))
    is_new = np.ones(len(order), np.bool_)
    is_new[1:] = np.any(begins[order[1:]] != begins[order[:-1]], axis=1)
    text = terms.text
    for start, end in pairwise([*np.flatnonzero(is_new).tolist(), len(order)]):
        if end - start > 1:
            places = order[start:end].tolist()
            alike = [(key(text(int(numbers[place]))[:LENGTH]), place) for place in places]
            alike = sorted_in_turns(alike, itemgetter(0))
            order[start:end] = [place for _, place in alike]
            is_new[start + 1 : end] = [one[0] != other[0] for one, other in pairwise(alike)]
    return _ranked(order, np.cumsum(is_new) - 1)


def rank_nodes(snapshot: Snapshot, class_iri: str, nodes: Numbers) -> Places:
    """Return the rank of each node among some in the order of identifiers, from 0.

    The nodes stand once each. Where those of the class stand among its instances is known; if one
    is of another class, all identifiers are read.
    """
    instances = np.asarray(snapshot.instances(class_iri), np.uint32)
    by_number = np.argsort(instances)
    at = np.searchsorted(instances, nodes, sorter=by_number)
    found = by_number[at[at < len(instances)]]
    if len(found) == len(nodes) and np.array_equal(instances[found], nodes):
        order = np.argsort(found)
    else:
        text = snapshot.terms.order
        texts = [(text(number), place) for place, number in enumerate(nodes.tolist())]
        ordered = sorted_in_turns(texts, itemgetter(0))
        order = np.array([place for _, place in ordered], np.int64)
    return _ranked(order, np.arange(len(order)))


def _ranked(order: Places, ranks: Places) -> Places:
    """Return the ranks of places, given in order."""
    found = np.zeros(len(order), np.int64)
    found[order] = ranks
    return found


def _begins_of(terms: TermTable, numbers: Numbers) -> _Begins:
    found = np.zeros((len(numbers), 2), np.uint64)
    for page, places, slots in Batch(numbers).pages:
        found[places] = _page_begins(terms, page)[slots]
    return found


def _page_begins(terms: TermTable, page: int) -> _Begins:
    """Return what the texts of a page begin with; a page that grew is read anew."""
    texts = terms.texts[page]
    known: _Begins | None = terms.kept.get(page)
    if known is None or len(known) < len(texts):
        begins = b"".join([first_bytes(texts[slot]) for slot in range(len(texts))])
        known = np.frombuffer(begins, ">u8").astype(np.uint64).reshape(-1, 2)
        terms.kept[page] = known
    return known
