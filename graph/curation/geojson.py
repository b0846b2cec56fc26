"""Sites as GeoJSON (RFC 7946): one feature a site, with who has it.

Floor 2. Coordinates are WGS 84, longitude first. A site whose place is not known is a feature
without geometry: that it is not known is told, too. Licences and sources are foreign members of the
collection (section 6.1), in the terms of Frictionless.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from graph.curation.attribution import EXCLUDED, read_sources
from graph.curation.licences import read_licences, write_licences
from graph.model import FieldKind
from graph.store.snapshot import Snapshot
from graph.terms import RZ, SKOS, is_literal, read_literal

SITE: Final = f"{RZ}Site"
MEDIA_TYPE: Final = "application/geo+json"
_GEO: Final = "http://www.w3.org/2003/01/geo/wgs84_pos#"
_HAS_SITE: Final = "http://www.w3.org/ns/org#hasSite"
_PREF_LABEL: Final = f"{SKOS}prefLabel"


def write_sites(snapshot: Snapshot) -> Iterator[bytes]:
    """Yield the sites in the order of their IRIs, as one feature collection.

    The sources, each once with its licence, come last, since they are met on the way.
    """
    licences = read_licences(snapshot)
    head = {
        "revision": snapshot.revision,
        "datasetHash": f"{snapshot.dataset_hash:064x}",
        "licenses": [licence.for_data_package() for licence in licences],
        "rights": f"{write_licences(licences)}. {EXCLUDED}",
    }
    opening = orjson.dumps({"type": "FeatureCollection", **head})[:-1]
    yield opening + b',"features":['
    sites = [snapshot.term_of(number) for number in snapshot.instances(SITE)]
    sources: set[str] = set()
    for count, site in enumerate(sorted(sites)):
        yield (b",\n" if count else b"\n") + orjson.dumps(_feature(snapshot, site))
        sources.update(_sources(snapshot, site))
    named = [source.for_data_package() for source in read_sources(snapshot, sources)]
    yield b'\n],"sources":' + orjson.dumps(named) + b"}\n"


def _sources(snapshot: Snapshot, site: str) -> Iterator[str]:
    """Yield the graphs that state something of a site, or name who has it."""
    yield from (quad[3] for quad in snapshot.quads_of(site))
    for each in snapshot.subjects(_HAS_SITE, site):
        yield from snapshot.graphs_of(each, _HAS_SITE, site)
        for name in snapshot.values(each, _PREF_LABEL):
            yield from snapshot.graphs_of(each, _PREF_LABEL, name)


def _feature(snapshot: Snapshot, site: str) -> dict[str, Any]:
    longitude = _number(snapshot, site, f"{_GEO}long")
    latitude = _number(snapshot, site, f"{_GEO}lat")
    is_placed = longitude is not None and latitude is not None
    point = {"type": "Point", "coordinates": [longitude, latitude]}
    return {
        "type": "Feature",
        "id": site[1:-1],
        "geometry": point if is_placed else None,
        "properties": _properties(snapshot, site),
    }


def _properties(snapshot: Snapshot, site: str) -> dict[str, Any]:
    """Return the fields of a site by name, texts by language, and its organisations."""
    found: dict[str, Any] = {}
    for field in snapshot.model.fields[SITE].values():
        if field.inverse or field.path in (f"{_GEO}long", f"{_GEO}lat"):
            continue
        if field.kind is FieldKind.TEXT:
            texts = _texts(snapshot, site, field.path)
            if texts:
                found[field.name] = texts
        elif field.many:
            if values := snapshot.values(site, field.path):
                found[field.name] = [_bare(value) for value in values]
        elif (value := snapshot.value(site, field.path)) is not None:
            found[field.name] = _bare(value)
    found["organisations"] = [
        {"id": each[1:-1], "name": _texts(snapshot, each, _PREF_LABEL)}
        for each in snapshot.subjects(_HAS_SITE, site)
    ]
    return found


def _texts(snapshot: Snapshot, subject: str, predicate: str) -> dict[str, str]:
    """Return the first text of each language, in the order of the texts."""
    texts: dict[str, str] = {}
    for value in snapshot.values(subject, predicate):
        if is_literal(value):
            text, _, tag = read_literal(value)
            texts.setdefault(tag or "", text)
    return texts


def _number(snapshot: Snapshot, subject: str, predicate: str) -> float | None:
    value = snapshot.value(subject, predicate)
    return None if value is None else float(read_literal(value)[0])


def _bare(value: str) -> str:
    return read_literal(value)[0] if is_literal(value) else value[1:-1]
