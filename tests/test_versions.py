"""The versions that are kept for those who are told of changes."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path

from graph.settings import Settings
from graph.store.snapshot import Snapshot
from graph.terms import SKOS
from tests.gates import open_gate, submit
from tests.mutating import viewer
from tests.samples import base, iri
from web.versions import Versions


def test_who_comes_back_from_anywhere_leaves_little(tmp_path: Path) -> None:
    gate = open_gate(tmp_path / "store")
    submit(gate, base())
    for number in range(12):
        label = f'"x{number}"@en'
        submit(gate, [(iri("organisation/a"), f"<{SKOS}altLabel>", label, iri("source/one"))])

    async def resume() -> None:
        versions = Versions(gate.dataset, Settings(), lambda: [], asyncio.get_running_loop())
        newest, seen = versions.newest, list[weakref.ref[Snapshot]]()
        for revision in range(1, newest.revision):
            before = await versions.at(revision, viewer())
            step = await versions.step(viewer(), before, newest)
            assert (step.since, step.revision) == (revision, newest.revision)
            assert await versions.step(viewer(), before, newest) is step, "made once"
            seen.append(weakref.ref(before.whole))
        again = await versions.at(newest.revision - 4, viewer())
        assert again.whole is seen[-4](), "rewound once"
        del before, step, again
        gc.collect()
        assert len(seen) == 12
        assert sum(ref() is not None for ref in seen) == 4

    asyncio.run(resume())
