"""The process that the crash test kills: writes through the gate and says what is acknowledged.

Run as `python -m tests.crash_child STORE RUN`. Each line on standard output is one acknowledged
change: `+ token` or `- token`. The quads of a token are recorded together or not at all.
"""

from __future__ import annotations

import os
import random
import sys
import threading
from pathlib import Path

from graph.access import Level
from graph.curation.formats import TRIG, Upload
from graph.curation.gate import Gate
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.dataset import Dataset
from graph.store.levels import VISIBILITY, write_level
from graph.store.lock import StoreLock
from graph.terms import ENTITY, RDF_TYPE, RZ, Quad

ALIAS = "<http://www.w3.org/2004/02/skos/core#altLabel>"
GRAPHS = tuple(f"{ENTITY}source/crash-{number}" for number in range(3))
#: Quads of a small change, and of a load, which is gzipped in the log.
SMALL, LARGE = 20, 2_000


def tokens(token: str, size: int) -> list[Quad]:
    """The quads of a token, about a company of its own, spread over all graphs."""
    company = f"<{ENTITY}organisation/{token}>"
    about = [
        (company, RDF_TYPE, f"<{RZ}Company>", f"<{GRAPHS[0]}>"),
        (company, f"<{RZ}acronym>", '"C"', f"<{GRAPHS[0]}>"),
    ]
    return about + [
        (company, ALIAS, f'"{token} {n} of {size}"@en', f"<{GRAPHS[n % 3]}>") for n in range(size)
    ]


def describe(graph: str) -> str:
    """TriG text that describes a source."""
    return (
        "@prefix rz: <https://w3id.org/rhizome/ontology#> .\n"
        f'<{graph}> {{ <{graph}> a rz:Source ; rz:sourceKind "webPage" ; '
        '<http://purl.org/dc/terms/title> "Crash" . }\n'
    )


def write(gate: Gate, name: str, seed: int) -> None:
    """Change after change, until the end."""
    random_ = random.Random(seed)
    mine: list[tuple[str, int]] = []
    for number in range(100_000):
        if mine and random_.random() < 0.3:
            token, size = mine.pop(random_.randrange(len(mine)))
            added, removed, sign = [], tokens(token, size), "-"
        else:
            token, size = f"{name}-{number}", LARGE if random_.random() < 0.1 else SMALL
            added, removed, sign = tokens(token, size), [], "+"
            mine.append((token, size))
        gate.submit(added, removed, agent="crash", activity="edit", message=f"{sign} {token}")
        os.write(1, f"{sign} {token}\n".encode())


def _move(gate: Gate, *, is_hidden: bool) -> None:
    """Let the last graph be for partners, or for everyone: stores are built anew by each move."""
    quad = (f"<{GRAPHS[2]}>", VISIBILITY, write_level(Level.PARTNER), f"<{GRAPHS[2]}>")
    added, removed = ([quad], []) if is_hidden else ([], [quad])
    gate.submit(added, removed, agent="crash", activity="edit", message="a move")


def main() -> None:
    """Open the store and write with three threads."""
    settings = Settings(store=Path(sys.argv[1]))
    run = sys.argv[2]
    model = load_model()
    with StoreLock(settings.store, "crash test"):
        gate = Gate(Dataset.open(settings, model), model, settings)
        sources = "".join(map(describe, GRAPHS)).encode()
        gate.load([Upload("sources", TRIG, sources)])
        _move(gate, is_hidden=int(run) % 2 == 1)
        os.write(1, b"ready\n")
        for thread in range(3):
            name = f"{run}-{thread}"
            threading.Thread(target=write, args=(gate, name, int(run) * 3 + thread)).start()


if __name__ == "__main__":
    main()
