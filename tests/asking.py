"""A small dataset to ask by GraphQL, and what its answers are looked at with."""

from __future__ import annotations

from typing import Any

from graph.store.snapshot import TYPE
from graph.store.sources import RANK
from graph.terms import ENTITY, RZ, SKOS, XSD, Quad, write_literal
from schema.execute import Answer

ORG = "http://www.w3.org/ns/org#"
EURIO = "http://data.europa.eu/s66#"
PROJECT = f"<{ENTITY}project/p{{}}>"
A, B = f"<{ENTITY}source/a>", f"<{ENTITY}source/b>"
NETWORK = f"<{ENTITY}network/n>"
FRANCE = "<http://publications.europa.eu/resource/authority/country/FRA>"
MEMBER = f"<{ENTITY}concept/role--member>"


def organisation(number: int) -> str:
    return f"<{ENTITY}organisation/o{number}>"


def small_dataset() -> list[Quad]:
    """Return five clusters of one network; two sources disagree about the first one's name."""
    quads: list[Quad] = []

    def say(subject: str, predicate: str, value: str, graph: str = A) -> None:
        quads.append((subject, f"<{predicate}>", value, graph))

    for source, rank in ((A, "1"), (B, "2")):
        say(source, TYPE, f"<{RZ}Source>", source)
        say(source, "http://purl.org/dc/terms/title", write_literal(f"Page {rank}"), source)
        say(source, f"{RZ}sourceKind", write_literal("webPage"), source)
        say(source, RANK, write_literal(rank, f"{XSD}integer"), source)
    say(NETWORK, TYPE, f"<{RZ}Network>")
    say(NETWORK, f"{SKOS}prefLabel", '"Net"@en')
    for number in range(5):
        term, tie = organisation(number), f"<{ENTITY}membership/o{number}--n--member>"
        say(term, TYPE, f"<{RZ}Cluster>")
        say(term, f"{SKOS}prefLabel", f'"Cluster {number}"@en')
        say(tie, TYPE, f"<{RZ}Membership>")
        say(tie, f"{ORG}member", term)
        say(tie, f"{ORG}organization", NETWORK)
        say(tie, f"{ORG}role", MEMBER)
        say(tie, f"{RZ}status", '"stated"')
    first = organisation(0)
    say(first, TYPE, f"<{RZ}Cluster>", B)
    say(first, f"{SKOS}prefLabel", '"Grappe 0"@fr')
    say(first, f"{SKOS}prefLabel", '"Cluster zero"@en', B)
    say(first, f"{RZ}acronym", '"OLD"')
    say(first, f"{RZ}acronym", '"NEW"', B)
    say(first, f"{RZ}country", FRANCE)
    return quads


def data(answer: Answer) -> dict[str, Any]:
    assert not answer.errors, answer.errors
    assert answer.data is not None
    return answer.data


def code(answer: Answer) -> str:
    assert answer.failed or answer.data is None
    return str(answer.errors[0]["extensions"]["code"])


def listed_dataset() -> list[Quad]:
    """The small dataset with more names, dates and projects."""
    quads = small_dataset()

    def say(subject: str, predicate: str, value: str, graph: str = A) -> None:
        quads.append((subject, f"<{predicate}>", value, graph))

    for number, name in enumerate(("Élan", "elan", "Zèbre", "Été")):
        say(organisation(number + 1), f"{SKOS}altLabel", f'"{name}"@fr')
    say(organisation(1), f"{RZ}acronym", '"Éa"')
    say(organisation(2), f"{RZ}acronym", '"Eb"')
    for number, (first, last) in enumerate((("2005-01-01", "2005-12-31"), ("2011-03-01",) * 2)):
        say(organisation(number), f"{RZ}foundedText", f'"{first[:4]}"')
        say(organisation(number), f"{RZ}foundedEarliest", f'"{first}"^^<{XSD}date>')
        say(organisation(number), f"{RZ}foundedLatest", f'"{last}"^^<{XSD}date>')
    for number, cost in enumerate(("1000", "250.5", None)):
        project = PROJECT.format(number)
        say(project, TYPE, f"<{RZ}Project>")
        if cost is not None:
            say(project, f"{RZ}totalCost", write_literal(cost, f"{XSD}decimal"))
        for partner in range(number, 3):
            role = f"<{ENTITY}project-role/{partner}--{number}>"
            say(role, TYPE, f"<{RZ}ProjectRole>")
            say(role, f"{EURIO}isInvolvedIn", project)
            say(role, f"{EURIO}isRoleOf", organisation(partner))
    return quads
