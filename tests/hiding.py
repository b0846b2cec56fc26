"""The seeds twice: as everyone has them, and with graphs above public that say more of the same.

What is hidden speaks of what is public wherever it could show: other values of single fields from a
source of the highest rank, more ties, more names, a new cluster, a place in counts and totals.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from graph.curation.formats import TRIG, Upload
from graph.curation.gate import Gate
from graph.shapes import load_model
from graph.store.dataset import Dataset
from tests.levelled import SECRET
from tests.samples import PREFIXES
from tests.seeded import make_settings, serve

#: What changes from one answer to the next, or says how many commits there were at any level.
PASSING = frozenset({"rhizome-revision", "date"})

TEXT = """
source:{name} {{
  source:{name} a rz:Source ; dct:title "{secret} source" ; rz:sourceKind "user" ;
    rz:sourceRank 100 ; dct:dateAccepted "2026-11-01"^^xsd:date ; rz:visibility "{level}" .
  organisation:{secret}-{level} a rz:Cluster ; skos:prefLabel "{secret} cluster {level}"@en ;
    skos:altLabel "Vegepolys Valley {secret}"@en ; rz:country country:FRA ; rz:sector sector:seeds .
  organisation:vegepolys-valley a rz:Cluster ; skos:altLabel "{secret} {level}"@en ;
    rz:acronym "{secret}" ; rz:foundedText "1901" ; rz:foundedEarliest "1901-01-01"^^xsd:date ;
    rz:foundedLatest "1901-12-31"^^xsd:date .
  network:plant-intercluster a rz:Network ; skos:altLabel "{secret}"@en .
  membership:{secret}-{level}--plant-intercluster--member a rz:Membership ;
    org:member organisation:{secret}-{level} ; org:organization network:plant-intercluster ;
    org:role role:member ; rz:status "stated" ; rz:evidence evidence:{name}-1 .
  signature:plant-intercluster-common--{secret}-{level} a rz:Signature ;
    rz:agreement memorandum:plant-intercluster-common ;
    rz:signatory organisation:{secret}-{level} ; rz:status "stated" ;
    rz:evidence evidence:{name}-1 .
  memorandum:plant-intercluster-common a rz:MemorandumOfUnderstanding ; rz:statedPartyCount 99 ;
    rz:status "stated" ; rz:evidence evidence:{name}-1 .
  evidence:{name}-1 a rz:Evidence ; prov:hadPrimarySource source:{name} ; rz:quote "{secret}." .
}}
"""


def hide(store: Path, *levels: str) -> None:
    """Load a source of each level into a store that nobody has open."""
    settings, model = make_settings(store), load_model()
    dataset = Dataset.open(settings, model, with_store=False)
    gate = Gate(dataset, model, settings)
    for level in levels:
        text = PREFIXES + TEXT.format(name=f"hidden-{level}", level=level, secret=SECRET)
        receipt = gate.load([Upload("hidden", TRIG, text.encode())])
        assert receipt.added
    dataset.close()


@dataclass
class Pair:
    """Two services, without and with what is hidden."""

    without: TestClient
    beside: TestClient
    tokens: dict[str, str] = field(default_factory=dict)

    def differ(self, method: str, path: str, **given: Any) -> Any:
        """Return the public answer, which both must give, byte for byte."""
        one, two = (c.request(method, path, **given) for c in (self.without, self.beside))
        assert two.status_code == one.status_code, two.text[:300]
        assert two.content == one.content
        heads = [{k: v for k, v in a.headers.items() if k not in PASSING} for a in (one, two)]
        assert heads[0] == heads[1]
        return two


@contextmanager
def pair(seeded: Path, folder: Path, *levels: str) -> Iterator[Pair]:
    """Serve both, on copies of the seeded store."""
    with ExitStack() as stack:
        clients = []
        for name in ("without", "beside"):
            shutil.copytree(seeded, folder / name)
            if name == "beside":
                hide(folder / name, *levels)
            clients.append(stack.enter_context(serve(folder / name, rate_token_api=0)))
        tokens: dict[str, str] = {}
        service = clients[1].app.state.service  # type: ignore[attr-defined]
        for level in ("public", "partner", "restricted"):
            scopes = ("write", "changes", "explain")
            text, _ = service.tokens.create(scopes, name=f"of-{level}", level=level)
            tokens[level] = text
        yield Pair(clients[0], clients[1], tokens)
