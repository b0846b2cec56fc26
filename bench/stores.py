"""Stores of generated data, built once and kept in a folder between runs.

A store is loaded as people would load it: one commit a source. Its derived parts are then built
in bulk, so that a run starts from what a stopped service leaves behind.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Final

from bench.generator import Shape, generate
from graph.model import Model
from graph.settings import Settings
from graph.store.commit import Change
from graph.store.dataset import Dataset
from graph.store.oxigraph import OxigraphStore

ROOT: Final = Path(__file__).resolve().parent.parent
_PARTS: Final = ("bench/blocks.py", "bench/draws.py", "bench/generator.py", "bench/wording.py")


def prepare_store(shape: Shape, model: Model, folder: Path) -> Path:
    """Return the folder of a store with the shape's data, building it where it is missing."""
    name = f"{shape.triples}-{shape.overlap}-{shape.seed}-{_version(model)}"
    place = folder / name
    if place.exists():
        return place
    fresh = folder / f".{name}"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    settings = replace(Settings(), store=fresh)
    dataset = Dataset.open(settings, model, with_store=False)
    fill(dataset, shape)
    snapshot = dataset.snapshot
    store = OxigraphStore.open(fresh / "oxigraph", model.system_quads)
    store.rebuild(snapshot.quads(), snapshot.revision, snapshot.dataset_hash, snapshot.quad_count)
    store.close()
    dataset.close()
    fresh.rename(place)
    return place


def describe(shape: Shape) -> str:
    """Return a shape in words."""
    return f"{shape.triples:,} triples, partners overlap {shape.overlap}"


def fill(dataset: Dataset, shape: Shape) -> None:
    """Commit a shape's data, one commit a source, without validation."""
    for graph, quads in groupby(generate(shape), key=lambda quad: quad[3]):
        dataset.commit(Change(tuple(quads), (), "bench", "load", "generated data", graph[1:-1]))


def copy_store(store: Path, folder: Path) -> Path:
    """Return a copy of a store for a measurement that writes."""
    place = folder / f"copy-{store.name}"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(store, place)
    return place


def _version(model: Model) -> str:
    digest = hashlib.sha256(model.digest.encode())
    for name in _PARTS:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()[:8]
