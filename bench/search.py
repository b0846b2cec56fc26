"""Search as people type, over names of our own shape: time, recall with typos, memory, updates.

`python -m bench.search ENGINE LABELS` measures one engine in a process of its own and writes what
it measured as JSON. The texts are those of the generator, a third of them with accents; what is
asked is made of texts that are there, so that for each question one node is the right answer.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

import psutil

from bench.draws import Draws
from bench.generator import SEED, Shape, generate
from bench.search_engines import ENGINES, Engine
from bench.stores import ROOT
from bench.tables import Cell, Table, judge, percentile
from graph.model import Model, SearchRole
from graph.shapes import load_model
from graph.store.build import Builder
from graph.store.snapshot import TYPE, Snapshot
from graph.terms import Quad, read_literal, write_literal

_QUESTIONS: Final = 400
_UPDATES: Final = 100
_TARGET_MS: Final = 5.0
#: Triples of which the generator makes one text that is searched, at least.
_TRIPLES_A_TEXT: Final = 12
_ACCENTS: Final = str.maketrans("aeiou", "àéîöü")
_KINDS: Final = ("whole", "beginning", "one letter", "two words", "one typo", "two typos")


def table_search(labels: int) -> Table:
    """Return the table, one row an engine."""
    rows: list[tuple[Cell, ...]] = []
    for name in ENGINES:
        if name == "tantivy" and importlib.util.find_spec("tantivy") is None:
            continue
        command = [sys.executable, "-m", "bench.search", name, str(labels)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
        rows.append((name, *_cells(json.loads(done.stdout))))
    times = tuple(f"{kind}, p50 / p99 ms" for kind in _KINDS)
    heads = ("engine", "build, s", "resident, MiB", *times, "recall at 10: one typo", "two typos")
    ours = rows[0]
    worst = max(float(str(cell).split(" / ")[1]) for cell in ours[3 : 3 + len(_KINDS)])
    notes = (
        f"{labels:,} texts. p99 of ours in the dearest kind: {worst:.2f} ms "
        f"({judge(worst, _TARGET_MS)}). Questions are answered one after the other, ten hits each.",
        "Update: the texts of one node replaced, until a search sees it.",
    )
    return Table(f"Search in {labels:,} texts", (*heads, "update, ms"), rows, notes)


def _cells(found: dict[str, Any]) -> Iterator[Cell]:
    yield found["build_s"]
    yield found["resident_mib"]
    for kind in _KINDS:
        times = found["times"][kind]
        yield f"{percentile(times, 50):.2f} / {percentile(times, 99):.2f}"
    for kind in _KINDS[-2:]:
        yield f"{found['recall'][kind]:.0%}"
    yield found["update_ms"]


# --- one engine -----------------------------------------------------------------------------------


def measure(name: str, labels: int) -> dict[str, Any]:
    """Return what one engine takes, and how often it finds what was meant."""
    model = load_model()
    snapshot = make_snapshot(model, labels)
    texts = list(_texts(snapshot))
    gc.collect()
    process = psutil.Process()
    before, started = process.memory_info().rss, time.perf_counter()
    engine: Engine = ENGINES[name](snapshot)
    engine.build(texts)
    build_s = time.perf_counter() - started
    gc.collect()
    resident = process.memory_info().rss - before
    times, recall = _ask(engine, questions(snapshot))
    return {
        "build_s": build_s,
        "resident_mib": resident / 2**20,
        "times": times,
        "recall": recall,
        "update_ms": percentile(list(_update(engine, texts)), 50),
    }


def make_snapshot(model: Model, labels: int) -> Snapshot:
    """Return a snapshot of the types and texts of generated data, about so many texts."""
    kept = {f"<{predicate}>" for predicate in model.searched}
    builder = Builder(model)
    count = 0
    for quad in generate(Shape(labels * _TRIPLES_A_TEXT)):
        if count == labels:
            break
        if quad[1] in kept:
            builder.take([_accented(quad, count)], 1, 1)
            count += 1
        elif quad[1] == f"<{TYPE}>":
            builder.take([quad], 1, 1)
    return builder.finish(1, 0, count)


def _accented(quad: Quad, number: int) -> Quad:
    """Return every third text with accents on its vowels."""
    subject, predicate, literal, graph = quad
    if number % 3:
        return quad
    text, datatype, language = read_literal(literal)
    literal = write_literal(text.translate(_ACCENTS), datatype, language)
    return subject, predicate, literal, graph


def _texts(snapshot: Snapshot) -> Iterator[tuple[int, str]]:
    for predicate in snapshot.model.searched:
        column = snapshot.forward.get(predicate)
        for subject, value, _ in column.statements() if column is not None else ():
            yield subject, snapshot.terms.text(value)


def questions(snapshot: Snapshot) -> Iterator[tuple[str, str, int]]:
    """Yield kind, text and the node that is meant, of names of more than one word."""
    names = [
        (subject, snapshot.terms.text(value))
        for predicate, role in snapshot.model.searched.items()
        if role is SearchRole.NAME and predicate in snapshot.forward
        for subject, value, _ in snapshot.forward[predicate].statements()
    ]
    draws = Draws(SEED, 1)
    for number in range(_QUESTIONS):
        node, name = draws.pick(names)
        if " " not in name:
            continue
        words = name.split()
        yield "whole", name.upper() if number % 2 else name.lower(), node
        yield "beginning", name[: draws.between(4, 9)], node
        yield "one letter", name[0], node
        yield "two words", " ".join((words[-1], words[0])), node
        yield "one typo", _with_typo(name, draws), node
        yield "two typos", _with_typo(_with_typo(name, draws), draws), node


def _with_typo(name: str, draws: Draws) -> str:
    """Return a name with a letter of a word of four or more gone, added, other or exchanged."""
    long = [word for word in name.split() if len(word) > 3 and word.isalpha()]
    if not long:
        return name
    word = draws.pick(long)
    at = draws.below(len(word) - 1)
    ways = (
        word[:at] + word[at + 1 :],
        word[:at] + draws.pick("aeinrst") + word[at:],
        word[:at] + draws.pick("aeinrst") + word[at + 1 :],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
    )
    return name.replace(word, draws.pick(ways), 1)


def _ask(
    engine: Engine, asked: Iterator[tuple[str, str, int]]
) -> tuple[dict[str, list[float]], dict[str, float]]:
    times: dict[str, list[float]] = defaultdict(list)
    right: dict[str, list[bool]] = defaultdict(list)
    for kind, text, node in asked:
        started = time.perf_counter()
        found = engine.search(text)
        times[kind].append(1_000 * (time.perf_counter() - started))
        right[kind].append(node in found)
    return dict(times), {kind: sum(each) / len(each) for kind, each in right.items()}


def _update(engine: Engine, texts: list[tuple[int, str]]) -> Iterator[float]:
    """Yield the milliseconds of each update."""
    for number, (node, _) in enumerate(texts[:: max(1, len(texts) // _UPDATES)]):
        new = [f"Updated Plant {number}", f"Plante {number}", f"UP{number}"]
        started = time.perf_counter()
        engine.update(node, new)
        yield 1_000 * (time.perf_counter() - started)
        assert node in engine.search(f"updated plant {number}")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
