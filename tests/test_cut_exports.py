"""Tables and sites of a part: one source, or what lies around one thing."""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph.curation.excerpt import WHOLE, Excerpt, cut_snapshot, take_excerpt
from graph.curation.geojson import write_sites
from graph.curation.table_export import write_tables
from graph.errors import NotFoundError, QueryTooLargeError, UnknownTermError
from graph.shapes import load_model
from graph.store.dataset import Dataset
from graph.store.snapshot import Snapshot
from graph.terms import ENTITY, Quad
from tests.seeded import make_settings

NETWORK = f"{ENTITY}network/plant-intercluster"


@pytest.fixture(scope="module")
def snapshot(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    folder = tmp_path_factory.mktemp("cut") / "store"
    shutil.copytree(seeded_store, folder)
    dataset = Dataset.open(make_settings(folder), load_model(), with_store=False)
    yield dataset.snapshot
    dataset.close()


class TestCut:
    """What is written field by field is written of a version that holds the excerpt alone."""

    def test_the_whole_is_the_version_itself(self, snapshot: Snapshot) -> None:
        assert cut_snapshot(snapshot, WHOLE, 10**6) is snapshot

    def test_what_lies_around_a_thing_answers_as_in_the_whole(self, snapshot: Snapshot) -> None:
        excerpt = Excerpt(entity=NETWORK, depth=1)
        part = cut_snapshot(snapshot, excerpt, 10**6)
        taken = set(read_excerpt_quads(snapshot, excerpt))
        described = {quad for quad in part.quads() if quad not in taken}
        assert taken <= set(part.quads())
        assert all(subject == graph for subject, _, _, graph in described)
        assert (part.revision, part.dataset_hash) == (snapshot.revision, snapshot.dataset_hash)
        for subject in {quad[0] for quad in taken}:
            for predicate in {quad[1][1:-1] for quad in taken if quad[0] == subject}:
                assert part.value(subject, predicate) == snapshot.value(subject, predicate)

    def test_tables_and_sites_of_a_part_are_rows_of_the_whole(
        self, snapshot: Snapshot, tmp_path: Path
    ) -> None:
        part = cut_snapshot(snapshot, Excerpt(entity=NETWORK, depth=2), 10**6)
        files = {}
        for name, version in (("whole", snapshot), ("part", part)):
            write_tables(version, tmp_path / name)
            files[name] = zipfile.ZipFile(tmp_path / name)
        shared = [n for n in files["part"].namelist() if n.endswith(".csv")]
        assert len(shared) > 5
        for name in shared:
            whole, some = (_rows(files[each].read(name)) for each in ("whole", "part"))
            known = {row["id"]: row for row in whole}
            for row in some:
                if "/source/" not in row["id"]:
                    assert row == {key: known[row["id"]][key] for key in row}
        home = Excerpt(entity=f"{ENTITY}organisation/vegepolys-valley", depth=1)
        few, every = (
            json.loads(b"".join(write_sites(version)))["features"]
            for version in (cut_snapshot(snapshot, home, 10**6), snapshot)
        )
        assert 1 < len(few) < len(every)
        assert all(feature in every for feature in few)

    def test_what_is_not_there_or_too_much_is_refused(self, snapshot: Snapshot) -> None:
        for excerpt, limit, error in (
            (Excerpt(graph="urn:x:none"), 10**6, UnknownTermError),
            (Excerpt(entity="urn:x:none"), 10**6, NotFoundError),
            (Excerpt(entity=NETWORK, depth=2), 10, QueryTooLargeError),
        ):
            with pytest.raises(error):
                cut_snapshot(snapshot, excerpt, limit)

    def test_a_source_alone_names_itself_alone(self, snapshot: Snapshot, tmp_path: Path) -> None:
        source = next(iter(snapshot.graphs()))[1:-1]
        part = cut_snapshot(snapshot, Excerpt(graph=source), 10**6)
        write_tables(part, tmp_path / "tables.zip")
        package = json.loads(zipfile.ZipFile(tmp_path / "tables.zip").read("datapackage.json"))
        assert [each["iri"] for each in package["sources"]] == [source]


def read_excerpt_quads(snapshot: Snapshot, excerpt: Excerpt) -> Iterator[Quad]:
    for block in take_excerpt(snapshot, excerpt, 10**6).blocks(by_graph=True):
        yield from ((block.subject, *statement) for statement in block.statements)


def _rows(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode(), newline="")))
