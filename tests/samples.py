"""A small valid dataset of two sources, the base of tests that break or change something."""

from __future__ import annotations

from functools import cache

import pyoxigraph

from graph.model import Model
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from graph.store.snapshot import Snapshot
from graph.terms import ENTITY, Quad
from tests.snapshots import commit_of

PREFIXES = """
@prefix rz: <https://w3id.org/rhizome/ontology#> .
@prefix id: <https://w3id.org/rhizome/id/> .
@prefix source: <https://w3id.org/rhizome/id/source/> .
@prefix organisation: <https://w3id.org/rhizome/id/organisation/> .
@prefix network: <https://w3id.org/rhizome/id/network/> .
@prefix membership: <https://w3id.org/rhizome/id/membership/> .
@prefix memorandum: <https://w3id.org/rhizome/id/memorandum/> .
@prefix signature: <https://w3id.org/rhizome/id/signature/> .
@prefix project: <https://w3id.org/rhizome/id/project/> .
@prefix role: <https://w3id.org/rhizome/id/concept/role--> .
@prefix sector: <https://w3id.org/rhizome/id/concept/sector--> .
@prefix project-role: <https://w3id.org/rhizome/id/project-role/> .
@prefix evidence: <https://w3id.org/rhizome/id/evidence/> .
@prefix country: <http://publications.europa.eu/resource/authority/country/> .
@prefix dct: <http://purl.org/dc/terms/> .
@prefix eurio: <http://data.europa.eu/s66#> .
@prefix org: <http://www.w3.org/ns/org#> .
@prefix prov: <http://www.w3.org/ns/prov#> .
@prefix schema: <https://schema.org/> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""

BASE = """
source:one {
  source:one a rz:Source ; dct:title "First page" ; rz:sourceKind "webPage" ;
    dct:dateAccepted "2026-03-01"^^xsd:date .
  organisation:a a rz:Cluster ; skos:prefLabel "Pole A"@en , "Pôle A"@fr ; rz:country country:FRA .
  organisation:b a rz:Company ; rz:acronym "B" ; rz:country country:ESP .
  organisation:c a rz:Cluster ; rz:euParticipantId "999999999" ; rz:country country:ITA .
  network:n a rz:Network ; skos:prefLabel "Network N"@en ; rz:sector sector:seeds .
  membership:a--n--member a rz:Membership ; org:member organisation:a ; org:organization network:n ;
    org:role role:member ; rz:status "stated" ; rz:evidence evidence:one-1 ;
    rz:startedText "2011" ; rz:startedEarliest "2011-01-01"^^xsd:date ;
    rz:startedLatest "2011-12-31"^^xsd:date .
  evidence:one-1 a rz:Evidence ; prov:hadPrimarySource source:one ; rz:quote "A joined N." .
  memorandum:m a rz:MemorandumOfUnderstanding ; skos:prefLabel "Memorandum M"@en ;
    rz:statedPartyCount 3 ; rz:establishes network:n ; rz:status "stated" ;
    rz:evidence evidence:one-1 .
  signature:m--a a rz:Signature ; rz:agreement memorandum:m ; rz:signatory organisation:a ;
    rz:status "stated" ; rz:evidence evidence:one-1 .
  signature:m--b a rz:Signature ; rz:agreement memorandum:m ; rz:signatory organisation:b ;
    rz:status "inferred" ; rz:evidence evidence:one-1 .
}
source:two {
  source:two a rz:Source ; dct:title "Second page" ; rz:sourceKind "newsArticle" .
  organisation:a a rz:Cluster ; skos:prefLabel "Pole Alpha"@en ; rz:acronym "PA" .
  project:p a rz:Project ; rz:acronym "PROJ" ; rz:statedPartnerCount 1 .
  project-role:p--a a rz:ProjectRole ; eurio:isInvolvedIn project:p ;
    eurio:isRoleOf organisation:a ; eurio:roleLabel "coordinator" ; rz:status "stated" ;
    rz:evidence evidence:two-1 .
  evidence:two-1 a rz:Evidence ; prov:hadPrimarySource source:two ; rz:locator "page 3" .
}
"""

SETTINGS = Settings()


@cache
def model() -> Model:
    """The model of the ontology, read once."""
    return load_model()


def iri(name: str) -> str:
    """N-Triples text of an entity, such as `organisation/a`."""
    return f"<{ENTITY}{name}>"


def rz(name: str) -> str:
    """N-Triples text of a term of the ontology."""
    return f"<https://w3id.org/rhizome/ontology#{name}>"


def read_trig(text: str) -> list[Quad]:
    """Quads of TriG text, with the prefixes of this module."""
    parsed = pyoxigraph.parse(PREFIXES + text, format=pyoxigraph.RdfFormat.TRIG)
    return [(str(q.subject), str(q.predicate), str(q.object), str(q.graph_name)) for q in parsed]


@cache
def base() -> tuple[Quad, ...]:
    """The quads of the sample."""
    return tuple(read_trig(BASE))


def snapshot_of(quads: list[Quad] | tuple[Quad, ...]) -> Snapshot:
    """Snapshot after one commit of these quads."""
    return build_snapshot(model(), [commit_of(quads, (), None)] if quads else ())
