"""IRIs of things that are created: given, derived from a name, or from what identifies a relation.

Floor 2. A relation's IRI follows from its participants (DESIGN's rule 3), so that sources which
state the same signature speak of one node; one that stands already is found by them, whatever its
IRI. Nothing here writes.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from graph.model import ClassShape, Model
from graph.terms import ENTITY, is_literal, local_name, read_literal

if TYPE_CHECKING:
    from graph.curation.view import View

#: What stands in a relation's IRI for a date that is not known.
UNDATED: Final = "undated"
_OURS: Final = "https://w3id.org/rhizome/"
_SLUG: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._~-]{0,199})")
_SLUG_LENGTH: Final = 80
_DIGITS: Final = 12


def slugify(text: str) -> str:
    """Return a text as a part of an IRI: small letters and digits, parted by hyphens; or nothing.

    Examples
    --------
    >>> slugify("Pôle Européen d'Innovation")
    'pole-europeen-d-innovation'
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_SLUG_LENGTH].strip("-")


def may_name(iri: str, shape: ClassShape) -> bool:
    """Tell whether a new thing of a class may have an IRI: ours by kind, or one of another site."""
    if iri.startswith(_OURS):
        start = f"{ENTITY}{shape.id_kind}/"
        return iri.startswith(start) and _SLUG.fullmatch(iri.removeprefix(start)) is not None
    return iri.startswith(("https://", "http://"))


def digest_of(content: Any) -> str:
    """Return some hexadecimal digits that follow from plain data."""
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def name_entity(shape: ClassShape, names: Iterable[str], content: Any) -> str:
    """Return the IRI of a new thing: from the first name that can be in one, else its content."""
    slug = next(filter(None, map(slugify, names)), "") or digest_of([shape.iri, content])
    return f"{ENTITY}{shape.id_kind}/{slug}"


def name_relation(shape: ClassShape, participants: Sequence[str | None]) -> str:
    """Return the IRI of a relation from the values (N-Triples texts) of its identity paths."""
    parts = [_part(value) for value in participants]
    return f"{ENTITY}{shape.id_kind}/{'--'.join(parts)}"


def find_relation(
    view: View, model: Model, shape: ClassShape, participants: Sequence[str | None]
) -> str | None:
    """Return the IRI of the relation that already ties these participants, if there is one."""
    pairs = list(zip(shape.identity, participants, strict=True))
    known = [(f"<{path}>", value) for path, value in pairs if value and not is_literal(value)]
    if not known:
        return None
    predicate, value = min(known, key=lambda pair: view.referrer_count(*pair))
    for node in view.referrers(predicate, value):
        is_one = any(model.is_a(iri, shape.iri) for iri in view.types(node))
        if is_one and all(_holds(view, node, f"<{path}>", wanted) for path, wanted in pairs):
            return node[1:-1]
    return None


def _holds(view: View, node: str, predicate: str, wanted: str | None) -> bool:
    values = view.values(node, predicate)
    return wanted in values if wanted is not None else not values


def _part(value: str | None) -> str:
    """What one participant gives to the IRI: the end of its own; of a concept without scheme."""
    if value is None:
        return UNDATED
    if is_literal(value):
        return slugify(read_literal(value)[0]) or UNDATED
    name = local_name(value[1:-1])
    if value.startswith(f"<{ENTITY}concept/"):
        name = name.rpartition("--")[2]
    return slugify(name) or digest_of(value)
