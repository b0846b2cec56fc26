"""The report in five to eight sentences, each tied to a number.

Floor 3. Written for a reader who decides: who connects the network, what would fall apart, how
sure that is, what is not known. Reads findings, computes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from graph.analysis.findings import (
    AffiliationRow,
    Bridge,
    LayerSize,
    MeasureTable,
    Network,
    Node,
    Separation,
    Uncertainty,
)
from graph.analysis.projection import NAMED_PROJECTIONS, ProjectionParameters
from graph.analysis.wording import Wording

#: Names written out in one sentence.
NAMES = 4


@dataclass(frozen=True, slots=True)
class Facts:
    """The findings that the summary speaks of."""

    network: Network
    layers: tuple[LayerSize, ...]
    nodes: tuple[Node, ...]
    measures: tuple[MeasureTable, ...]
    separations: tuple[Separation, ...]
    bridges: tuple[Bridge, ...]
    affiliations: tuple[AffiliationRow, ...]
    uncertainty: Uncertainty


def name_projection(wording: Wording, parameters: ProjectionParameters) -> str:
    """Return what a reader calls the network: the named projection, else its layers."""
    if parameters.name in NAMED_PROJECTIONS:
        return wording.say(f"projection.{parameters.name}")
    return parameters.name


def write_summary(wording: Wording, facts: Facts) -> tuple[str, ...]:
    """Return the sentences, most important first."""
    if not facts.nodes:
        return (wording.say("summary.empty"),)
    sentences = (
        _say_size(wording, facts),
        _say_cohesion(wording, facts.network),
        _say_broker(wording, facts),
        _say_partners(wording, facts),
        _say_cuts(wording, facts),
        _say_bridges(wording, facts.bridges),
        _say_certainty(wording, facts),
        _say_unknown(wording, facts.affiliations),
    )
    return tuple(sentence for sentence in sentences if sentence)


def _say_size(wording: Wording, facts: Facts) -> str:
    kinds = [
        wording.say(f"layer.{layer.key}.count", n=layer.linking)
        for layer in facts.layers
        if layer.linking
    ]
    if not kinds:
        return wording.say("summary.size.none", nodes=facts.network.organisations)
    return wording.say(
        "summary.size",
        nodes=facts.network.organisations,
        ties=facts.network.ties,
        affiliations=wording.join(kinds),
    )


def _say_cohesion(wording: Wording, network: Network) -> str:
    if network.components == 1:
        return wording.say("summary.whole") if network.nodes > 1 else ""
    rest = []
    smaller = network.components - network.isolates - (network.largest_component > 1)
    if smaller:
        rest.append(wording.say("summary.parts.smaller", n=smaller))
    if network.isolates:
        rest.append(wording.say("summary.parts.isolates", n=network.isolates))
    return wording.say(
        "summary.parts",
        giant=network.largest_component,
        share=wording.percent(network.largest_share),
        rest=wording.join(rest),
    )


def _say_broker(wording: Wording, facts: Facts) -> str:
    place, table = _find(facts, "betweenness")
    values = [facts.nodes[number].values[place] or 0.0 for number in table.order]
    names = [facts.nodes[number].name for number in table.order]
    if not any(values):
        return wording.say("summary.broker.none")
    first = sum(facts.nodes[number].ranks[place] == 1 for number in table.order)
    said = {
        "share": wording.percent(values[0]),
        "value": wording.number(values[0], table.digits),
    }
    if first > 1:
        joined = wording.shorten(names[:first], NAMES)
        return wording.say("summary.broker.shared", names=joined, **said)
    if len(values) == 1 or not values[1]:
        return wording.say("summary.broker", name=names[0], **said)
    following = wording.percent(values[1])
    return wording.say(
        "summary.broker.next", name=names[0], next=names[1], next_share=following, **said
    )


def _say_partners(wording: Wording, facts: Facts) -> str:
    place, table = _find(facts, "degree")
    if not facts.network.ties:
        return ""
    first = [facts.nodes[n] for n in table.order if facts.nodes[n].ranks[place] == 1]
    said = {"degree": int(first[0].values[place] or 0), "others": facts.network.nodes - 1}
    if len(first) == facts.network.nodes:
        return wording.say("summary.partners.all", **said)
    names = wording.shorten([node.name for node in first], NAMES)
    return wording.say("summary.partners", names=names, count=len(first), **said)


def _say_cuts(wording: Wording, facts: Facts) -> str:
    if not facts.separations:
        return wording.say("summary.cut.none") if facts.network.ties else ""
    worst, others = facts.separations[0], len(facts.separations) - 1
    said = {
        "name": facts.nodes[worst.node].name,
        "names": wording.shorten([facts.nodes[n].name for n in worst.cut_off], NAMES),
    }
    if others:
        return wording.say("summary.cut.others", lost=worst.lost, others=others, **said)
    return wording.say("summary.cut", lost=worst.lost, **said)


def _say_bridges(wording: Wording, bridges: tuple[Bridge, ...]) -> str:
    return wording.say("summary.bridges", n=len(bridges)) if bridges else ""


def _say_certainty(wording: Wording, facts: Facts) -> str:
    known = facts.uncertainty
    total = known.stated + known.disputed + known.inferred
    if total == known.stated:
        return wording.say("summary.sure", n=total)
    said = {
        "n": total,
        "stated": known.stated,
        "share": wording.percent(known.stated / total),
        "inferred": known.inferred,
        "disputed": known.disputed,
    }
    if not known.first or not known.first_stated:
        return wording.say("summary.unsure", **said)
    names = {node.iri: node.name for node in facts.nodes}
    first = wording.shorten([names[iri] for iri in known.first_stated if iri in names], NAMES)
    key = "summary.unsure.same" if known.first == known.first_stated else "summary.unsure.other"
    return wording.say(key, name=first, **said)


def _say_unknown(wording: Wording, affiliations: tuple[AffiliationRow, ...]) -> str:
    """Return the sentence on the memorandum that lacks most names."""
    lacking = [row for row in affiliations if row.missing]
    if not lacking:
        return ""
    worst = min(lacking, key=lambda row: (-row.missing, row.name))
    stated = wording.join([wording.number(count) for count in worst.stated], "word.or")
    sentence = wording.say("summary.unknown", name=worst.name, stated=stated, known=worst.known)
    if len(lacking) == 1:
        return sentence
    return f"{sentence} {wording.say('summary.unknown.more', n=len(lacking) - 1)}"


def _find(facts: Facts, key: str) -> tuple[int, MeasureTable]:
    return next((p, table) for p, table in enumerate(facts.measures) if table.key == key)
