"""Domain-shaped data in our own ontology, of any size, the same bytes for the same seed.

A dataset is a row of sources, one named graph each, of about 300 subjects: organisations of all
kinds, a network, memoranda with their signatures, memberships, projects with their roles, the
evidence for all that, and what the source says of organisations that others describe, too, so
that values are contested and relations shared. Organisations are numbered through all sources, so
that a source may name any other's without memory of it: the stream needs none. `overlap` decides
whether partners come mostly out of one organisation in sixty-four (much) or evenly out of all
(little).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from bench.blocks import ORGANISATIONS, STATEMENTS, Overlap, SourceBlock, Triple
from graph.terms import Quad

SEED: Final = 20261122


@dataclass(frozen=True, slots=True)
class Shape:
    """What is generated: about how many triples, how partners overlap, the seed."""

    triples: int
    overlap: Overlap = "much"
    seed: int = SEED

    @property
    def sources(self) -> int:
        """How many whole sources fit; a last one, a register, fills up to the size."""
        return max(1, self.triples // STATEMENTS)


def generate(shape: Shape) -> Iterator[Quad]:
    """Yield the quads of a dataset, source by source, each once."""
    count = 0
    for number in range(shape.sources):
        block = SourceBlock(number, shape.sources, shape.overlap, shape.seed)
        seen: set[Triple] = set()
        for triple in block.triples():
            if triple not in seen:
                seen.add(triple)
                yield *triple, block.iri
        count += len(seen)
    yield from _generate_register(shape, count)


def _generate_register(shape: Shape, count: int) -> Iterator[Quad]:
    """Yield a last source that only lists organisations, as many as the size still asks for."""
    register = SourceBlock(shape.sources, shape.sources, shape.overlap, shape.seed)
    for triple in register.described():
        count += 1
        yield *triple, register.iri
    number = shape.sources * ORGANISATIONS
    while count < shape.triples:
        for triple in register.listed(number):
            count += 1
            yield *triple, register.iri
        number += 1


def write_nquads(shape: Shape, file: IO[bytes]) -> int:
    """Write a dataset as N-Quads and return how many lines there are."""
    count = 0
    for s, p, o, g in generate(shape):
        file.write(f"{s} {p} {o} {g} .\n".encode())
        count += 1
    return count


def main() -> None:
    """Write a dataset to standard output."""
    parser = argparse.ArgumentParser(prog="python -m bench.generator", description=__doc__)
    parser.add_argument("triples", type=int, help="about how many, 10000 to 10000000")
    parser.add_argument("--overlap", choices=("much", "little"), default="much")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    write_nquads(Shape(options.triples, options.overlap, options.seed), sys.stdout.buffer)


if __name__ == "__main__":
    main()
