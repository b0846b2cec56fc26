"""The home page: what this is, what is in it, and the ways in; in English and French.

Floor 5. Made from the snapshot and the texts alone; the same bytes as long as revision and
language stay, which the ETag says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graph.curation.export import FRAMED
from graph.terms import RZ
from web.conditional import answer_if_changed
from web.counts import ClassCount, count_classes
from web.entity import Text
from web.entity_names import EntityNames
from web.export import FORMATS
from web.negotiation import request_language
from web.ontology import ontology_files
from web.templating import render_page
from web.texts import LANGUAGES, read_text, write_date, write_number

if TYPE_CHECKING:
    from graph.store.snapshot import Snapshot
    from web.service import Service

#: Classes shown with the ties: what carries status and evidence, and what that rests on.
EVIDENCED: Final = tuple(f"{RZ}{name}" for name in ("Evidenced", "Source", "Evidence"))

#: Classes of which the page names some: how many, and by which predicate others are tied to them.
EXAMPLES: Final = {
    "Network": (5, "http://www.w3.org/ns/org#organization"),
    "Memorandum": (2, f"{RZ}agreement"),
    "Cluster": (14, "http://www.w3.org/ns/org#member"),
    "Project": (5, "http://data.europa.eu/s66#isInvolvedIn"),
}
#: Instances that are looked at to find those with the most ties.
_LOOKED_AT: Final = 1_000


def routes() -> list[Route]:
    """Return the routes of this module."""
    return [Route("/", home, methods=["GET"])]


async def home(request: Request) -> Response:
    """What Rhizome is, counts by class, and links to all ways in, as a page (en, fr)."""
    service: Service = request.app.state.service
    language = request_language(request, LANGUAGES)
    view = service.public_view
    snapshot, changed = view.snapshot, view.time
    state = f"{snapshot.revision}-{snapshot.dataset_hash:064x}"[:24]
    etag = f'W/"home-{service.version}-{state}-{language}"'

    def make() -> Response:
        return render_page(request, "home.html", _context(service, snapshot, changed, language))

    return answer_if_changed(request, etag, make)


def _context(
    service: Service, snapshot: Snapshot, changed: str, language: str
) -> dict[str, object]:
    """What the template shows."""
    rows = count_classes(snapshot)
    is_tie = {
        row.shape.iri: any(snapshot.model.is_a(row.shape.iri, ancestor) for ancestor in EVIDENCED)
        for row in rows
    }
    date = write_date(changed, language) if changed else ""
    return {
        "state": {
            "revision": snapshot.revision,
            "quads": write_number(snapshot.quad_count, language),
            "sources": write_number(len(snapshot.graphs()), language),
            "changed": date,
        },
        "things": [_row(row, language) for row in rows if not is_tie[row.shape.iri]],
        "ties": [_row(row, language) for row in rows if is_tie[row.shape.iri]],
        "examples": _examples(service, snapshot, language),
        "exports": [
            *((f"/export?format={known.key}", known.label) for known in FORMATS if known != FRAMED),
            ("/export/tables.zip", "CSV"),
            ("/export/crate.zip", "RO-Crate"),
        ],
        "ontology": [
            (f"/ontology?lang={language}", read_text("home.read", language)),
            *((f"/ontology/{name}", name) for name in ontology_files()),
            ("/.well-known/void", read_text("home.void", language)),
        ],
        "citation": read_text(
            "home.citation",
            language,
            version=service.version,
            revision=snapshot.revision,
            date=date or "–",
            hash=f"{snapshot.dataset_hash:064x}",
        ),
    }


def _examples(service: Service, snapshot: Snapshot, language: str) -> list[Text]:
    """Return the things with the most ties of some classes, by name, linked to their pages."""
    names = EntityNames(snapshot, (language, *service.languages))
    found: list[int] = []
    for name, (most, predicate) in EXAMPLES.items():
        shape = snapshot.model.by_name.get(name)
        column = snapshot.inverse.get(predicate)
        if shape is not None and column is not None:
            numbers = snapshot.instances(shape.iri)[:_LOOKED_AT]
            found += sorted(numbers, key=column.count, reverse=True)[:most]
    return [names.name(number, linked=True) for number in found]


def _row(row: ClassCount, language: str) -> dict[str, object]:
    label = row.shape.labels.get(language) or row.shape.labels.get("en") or row.shape.name
    return {
        "label": label[:1].upper() + label[1:],
        "number": write_number(row.number, language),
        "depth": row.depth,
    }
