"""The examples of docs/writing.md, run in their order."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from graph.terms import ENTITY
from tests.require import ROOT
from tests.seeded import serve
from tests.writing import CREATE, Client, name

BLOCK = re.compile(r"```graphql\n(.*?)```", re.DOTALL)


def test_the_page_s_examples_do_what_it_says(seeded_store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    shutil.copytree(seeded_store, folder)
    first, several, changes = BLOCK.findall((ROOT / "docs/writing.md").read_text(encoding="utf-8"))
    with serve(folder) as http:
        client = Client(http, "reader-of-the-page")
        made = client.ask(first)["createCluster"]
        assert made["accepted"], made["violations"]
        assert made["id"] == f"{ENTITY}organisation/example-cluster"
        assert made["entity"] == {
            "name": "Example Cluster",
            "founded": {"text": "2019-06", "earliest": "2019-06-01", "latest": "2019-06-30"},
            "memberships": {"totalCount": 1},
        }
        client.source = {"id": f"{ENTITY}source/my-survey-2026"}
        old = CREATE.replace("ClusterInput", "SiteInput").replace("createCluster", "createSite")
        old = old.replace("acronym statedBy", "statedBy")
        site = f"{ENTITY}site/angers-1"
        client.ask(old, source=client.source, input=name("Angers"), id=site)
        done = client.ask(several, source=client.source)["write"]
        assert done["accepted"], done["violations"]
        assert [item["entity"] is None for item in done["items"]] == [False, False, True]
        page = client.ask(changes)["changes"]
        assert page["nodes"] == []
        followed = client.ask(changes.replace("since: 12", "since: 1"))["changes"]["nodes"]
        assert followed[0]["message"] == "from the survey"
        assert {entity["types"][0] for entity in followed[0]["entities"]} == {
            "Cluster",
            "Membership",
        }
