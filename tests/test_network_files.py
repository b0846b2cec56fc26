"""A network file names the sources of its ties: all of them, and no others."""

from __future__ import annotations

import io

import networkx as nx
import pytest

from graph.analysis.network_files import write_network
from graph.analysis.projection import Mode, ProjectionParameters, Succession
from graph.curation.excerpt import WHOLE, Excerpt
from graph.terms import ENTITY
from tests.samples import base, read_trig, snapshot_of

#: `old` was renamed `new` and is no party itself; source three states who joined it.
RENAMED = """
source:three {
  source:three a rz:Source ; dct:title "Third page" .
  organisation:d a rz:Company ; skos:prefLabel "D"@en .
  organisation:e a rz:Company ; skos:prefLabel "E"@en .
  membership:d--old a rz:Membership ; org:member organisation:d ;
    org:organization organisation:old ; org:role role:member ; rz:status "stated" .
  membership:e--old a rz:Membership ; org:member organisation:e ;
    org:organization organisation:old ; org:role role:member ; rz:status "%s" .
}
source:four {
  source:four a rz:Source ; dct:title "Fourth page" .
  organisation:old a rz:Cluster ; skos:prefLabel "Old"@en .
  organisation:new a rz:Cluster ; skos:prefLabel "New"@en .
  id:change-event\\/x a rz:ChangeEvent ; rz:changeKind "rename" ; rz:status "stated" ;
    org:originalOrganization organisation:old ; org:resultingOrganization organisation:new .
}
"""
ONE, THREE = f"{ENTITY}source/one", f"{ENTITY}source/three"


def _sources(
    parameters: ProjectionParameters, excerpt: Excerpt = WHOLE, status: str = "stated"
) -> list[str]:
    snapshot = snapshot_of([*base(), *read_trig(RENAMED % status)])
    content = write_network(snapshot, parameters, "graphml", excerpt=excerpt)
    graph = nx.read_graphml(io.BytesIO(content))
    assert graph.number_of_edges() > 0
    return str(graph.graph["source"]).split()


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("succession", list(Succession))
def test_what_is_joined_under_an_old_name_has_sources(mode: Mode, succession: Succession) -> None:
    parameters = ProjectionParameters(mode=mode, succession=succession)
    assert set(_sources(parameters)) >= {ONE, THREE}
    around = Excerpt(entity=f"{ENTITY}organisation/d", depth=1)
    assert _sources(parameters, around) == [THREE]


def test_a_relation_that_does_not_count_has_no_source_named() -> None:
    stated = ProjectionParameters(include_inferred=False, mode=Mode.TWO_MODE)
    assert THREE in _sources(stated)
    assert THREE in _sources(stated, status="inferred")  # one tie is left, to what is joined
    alone = ProjectionParameters()
    assert _sources(alone, status="inferred") == [ONE, THREE]


def test_a_relation_without_another_party_ties_nobody() -> None:
    text = RENAMED % "inferred"
    parameters = ProjectionParameters(include_inferred=False)
    joined = "membership:new--n a rz:Membership ; org:member organisation:new ;"
    joined += ' org:organization network:n ; org:role role:member ; rz:status "stated" .'
    more = read_trig(f"{text} source:five {{ {joined} }}")  # now `new` is a node, too
    content = write_network(snapshot_of([*base(), *more]), parameters, "graphml")
    graph = nx.read_graphml(io.BytesIO(content))
    assert f"{ENTITY}organisation/new" in graph
    assert graph.graph["source"].split() == [f"{ENTITY}source/five", ONE]
