"""What the seeds' README states of the seeds is true, and no source is quoted at length."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import cache

from graph.curation.formats import open_file, read_own
from graph.curation.normalise import normalise
from graph.curation.validate import Validator
from graph.curation.view import View
from graph.errors import Violation
from graph.terms import RDF_TYPE, Quad, read_literal
from tests.require import ROOT
from tests.samples import SETTINGS, model, rz, snapshot_of

SEEDS = ROOT / "seeds"
PRIMARY_SOURCE = "<http://www.w3.org/ns/prov#hadPrimarySource>"
#: Characters that may be quoted from one source in all.
QUOTED = 1_000
#: The rows of the README's table by what the warnings are of: a path, or words of a rule.
KINDS = {
    "<http://purl.org/dc/terms/dateAccepted>": "date of retrieval of a source",
    rz("startedText"): "start of a membership",
    rz("country"): "country of an organisation",
    rz("asOfText"): "date of a count",
    "<https://schema.org/issuedBy>": "body that issued a label",
    rz("validUntilText"): "end of a label",
    "states 15 partners": "partners named, fewer than stated",
    "states 13 partners": "partners named, fewer than stated",
    rz("changedText"): "date of an organisational change",
    "states 12 parties": "signatories named, fewer than the 12 stated",
}


@cache
def _quads() -> tuple[Quad, ...]:
    found: list[Quad] = []
    for path in sorted(SEEDS.glob("*.trig")):
        result = normalise(read_own(open_file(path)), SETTINGS)
        assert result.violations == ()
        found += result.quads
    return tuple(found)


def _readme() -> str:
    return (SEEDS / "README.md").read_text(encoding="utf-8")


def _kind(violation: Violation) -> str:
    if violation.path is not None:
        return KINDS[violation.path]
    return next(row for words, row in KINDS.items() if words in violation.message)


def test_the_table_of_warnings_is_true() -> None:
    found = Validator(model()).validate(View(snapshot_of(()), _quads()))
    assert [v for v in found if v.severity != "Warning"] == []
    section = _readme().partition("## Warnings")[2]
    rows = re.findall(r"^\| ([^|(]+?)(?: \([^|]*\))? \| ([0-9]+) \|$", section, re.MULTILINE)
    stated = {name: int(count) for name, count in rows}
    assert stated.pop("all") == len(found)
    assert stated == Counter(map(_kind, found))


def test_the_numbers_of_sources_and_quads_are_true() -> None:
    match = re.search(r"([0-9]+) sources, about ([0-9]+),([0-9]+) quads", _readme())
    assert match is not None
    sources = {s for s, p, o, _ in _quads() if (p, o) == (RDF_TYPE, rz("Source"))}
    assert sources == {graph for *_, graph in _quads()}
    assert len(sources) == int(match[1])
    assert abs(len(set(_quads())) - int(match[2] + match[3])) < 100


def test_no_source_is_quoted_at_length() -> None:
    sources = {s: o for s, p, o, _ in _quads() if p == PRIMARY_SOURCE}
    quoted: dict[str, int] = defaultdict(int)
    for evidence, predicate, value, _ in set(_quads()):
        if predicate == rz("quote"):
            quoted[sources[evidence]] += len(read_literal(value)[0])
    assert len(quoted) > 100
    assert {source: size for source, size in quoted.items() if size > QUOTED} == {}
