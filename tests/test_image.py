from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from graph.errors import StoreCorruptError
from graph.model import Model
from graph.shapes import load_model
from graph.store.advance import advance
from graph.store.build import build_snapshot
from graph.store.image import load_image, save_image
from tests.snapshots import random_history
from tests.test_snapshot import state


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


def test_an_image_gives_back_the_snapshot_and_can_be_advanced(model: Model, tmp_path: Path) -> None:
    snapshot = build_snapshot(model)
    history = list(random_history(model, 5, 8))
    for commit, _ in history[:5]:
        snapshot = advance(snapshot, commit)
    save_image(snapshot, tmp_path / "image")
    loaded = load_image(tmp_path / "image", model)
    assert loaded is not None
    assert state(loaded) == state(snapshot)
    assert (loaded.revision, loaded.dataset_hash) == (snapshot.revision, snapshot.dataset_hash)
    for commit, held in history[5:]:
        snapshot, loaded = advance(snapshot, commit), advance(loaded, commit)
        assert set(loaded.quads()) == held
    assert state(loaded) == state(snapshot)


def test_no_image_or_one_of_another_model_is_none(model: Model, tmp_path: Path) -> None:
    assert load_image(tmp_path / "image", model) is None
    (tmp_path / "image").touch()
    assert load_image(tmp_path / "image", model) is None
    save_image(build_snapshot(model), tmp_path / "image")
    assert load_image(tmp_path / "image", replace(model, digest="other")) is None


def test_a_flipped_or_missing_byte_is_found(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "image"
    save_image(build_snapshot(model), path)
    whole = path.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 40)):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(StoreCorruptError, match="image"):
            load_image(path, model)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreCorruptError):
        load_image(path, model)
