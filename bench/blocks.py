"""One source of a generated dataset: its organisations, relations, evidence, and what it repeats.

A block is a function of seed and number alone. Organisations are numbered through all sources, so
that a block may name any other's without having seen it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from bench import wording
from bench.draws import Draws
from graph.terms import ENTITY, RDF_TYPE, RZ, SKOS, XSD

Overlap = Literal["much", "little"]
#: A triple: subject, predicate and object as N-Triples text.
Triple = tuple[str, str, str]

#: Statements of one source, on average.
STATEMENTS: Final = 1_520
#: Of each source: its organisations, those that are clusters coming first.
ORGANISATIONS: Final = 60
CLUSTERS: Final = 6
_CLASSES: Final = (
    *("Cluster",) * CLUSTERS,
    *("Company",) * 32,
    *("ResearchOrganisation",) * 10,
    *("PublicAuthority",) * 4,
    *("Association",) * 4,
    "LabellingBody",
    *("Organisation",) * 3,
)
_PROJECTS: Final = 7
_MEMBERSHIPS: Final = 60
_MEMORANDA: Final = 2
_RESTATED: Final = 5
#: One organisation in so many is a partner of many, when partners overlap much.
_HUB: Final = 64

_NAME: Final = f"<{SKOS}prefLabel>"
_TITLE: Final = "<http://purl.org/dc/terms/title>"
_ORG: Final = "http://www.w3.org/ns/org#"
_EURIO: Final = "http://data.europa.eu/s66#"
_URL: Final = "<https://schema.org/url>"
_EVIDENCE: Final = f"<{RZ}evidence>"
_STATUS: Final = f"<{RZ}status>"


def organisation_iri(number: int) -> str:
    """Return the IRI of an organisation, in brackets: what its name says, and its number."""
    kind = _CLASSES[number % ORGANISATIONS]
    return f"<{ENTITY}organisation/{wording.slug(number)}-{kind[:4].lower()}-{number:06}>"


def source_iri(number: int) -> str:
    """Return the IRI of a source, which is that of its graph, too."""
    return f"<{ENTITY}source/generated-{number:05}>"


def _slug(iri: str) -> str:
    return iri[iri.rindex("/") + 1 : -1]


class SourceBlock:
    """One source with all that it states; `sources` is how many there are."""

    def __init__(self, number: int, sources: int, overlap: Overlap, seed: int) -> None:
        self.number = number
        self.sources = sources
        self.organisations = sources * ORGANISATIONS
        self.overlap = overlap
        self.iri = source_iri(number)
        self.draws = Draws(seed, number)
        self.evidence = 0
        self.memberships: set[tuple[str, str, str]] = set()

    def triples(self) -> Iterator[Triple]:
        """Yield what the source states."""
        yield from self.described()
        first = self.number * ORGANISATIONS
        for number in range(first, first + ORGANISATIONS):
            yield from self._organisation(number)
        yield from self._network()
        for number in range(_MEMORANDA):
            yield from self._memorandum(number)
        for _ in range(_MEMBERSHIPS):
            yield from self._membership()
        for number in range(_PROJECTS):
            yield from self._project(number)
        if self.sources > 1:
            yield from self._repeated()

    def described(self) -> Iterator[Triple]:
        """Yield what the source says of itself."""
        s, draws = self.iri, self.draws
        yield s, RDF_TYPE, f"<{RZ}Source>"
        yield s, _TITLE, f'"{wording.title(draws)} ({self.number})"'
        yield s, _URL, f'"https://source-{self.number}.example/page"^^<{XSD}anyURI>'
        yield s, f"<{RZ}publisherName>", f'"{wording.word(draws.below(4096))} Press"'
        yield from self._date(s, "published", 90)
        day = f"2026-{draws.between(1, 9):02}-{draws.between(1, 28):02}"
        yield s, "<http://purl.org/dc/terms/dateAccepted>", f'"{day}"^^<{XSD}date>'
        yield s, "<http://purl.org/dc/terms/language>", f'"{draws.pick(wording.LANGUAGES)}"'
        yield s, f"<{RZ}sourceKind>", f'"{draws.pick(wording.SOURCE_KINDS)}"'
        yield s, f"<{RZ}sourceRank>", f'"{draws.below(5) * 10}"^^<{XSD}integer>'

    def listed(self, number: int) -> Iterator[Triple]:
        """Yield type, name and country of an organisation."""
        s = organisation_iri(number)
        yield s, RDF_TYPE, f"<{RZ}{_CLASSES[number % ORGANISATIONS]}>"
        yield s, _NAME, f'"{wording.name(number)}"@en'
        yield s, f"<{RZ}country>", self.draws.pick(wording.COUNTRIES)

    # --- organisations and networks --------------------------------------------------------

    def _organisation(self, number: int) -> Iterator[Triple]:
        s, draws = organisation_iri(number), self.draws
        kind = _CLASSES[number % ORGANISATIONS]
        yield s, RDF_TYPE, f"<{RZ}{kind}>"
        yield s, _NAME, f'"{wording.name(number)}"@en'
        if draws.is_within(60):
            language = draws.pick(wording.LANGUAGES[1:])
            yield s, _NAME, f'"{wording.name(number, language)}"@{language}'
        yield s, f"<{RZ}country>", draws.pick(wording.COUNTRIES)
        for _ in range(draws.between(1, 2)):
            yield s, f"<{RZ}sector>", draws.pick(wording.SECTORS)
        if draws.is_within(40):
            yield s, f"<{RZ}acronym>", f'"{wording.acronym(number)}"'
        if draws.is_within(50):
            url = f'"https://{wording.slug(number)}-{number}.example/"'
            yield s, _URL, f"{url}^^<{XSD}anyURI>"
        yield from self._date(s, "founded", 50)
        if kind == "Company":
            yield s, f"<{RZ}isSme>", f'"{("false", "true")[draws.is_within(80)]}"^^<{XSD}boolean>'
        if kind == "Cluster":
            yield s, f"<{RZ}memberCategory>", draws.pick(wording.CATEGORIES)

    def _repeated(self) -> Iterator[Triple]:
        """Yield what this source says of others' organisations, and a tie that another states."""
        other = (self.number + 1 + self.draws.below(self.sources - 1)) % self.sources
        for number in range(0, ORGANISATIONS, ORGANISATIONS // _RESTATED):
            yield from self._restated(other * ORGANISATIONS + number)
        before = (self.number or self.sources) - 1
        yield from self._own_membership(before)

    def _restated(self, number: int) -> Iterator[Triple]:
        s, draws = organisation_iri(number), self.draws
        yield s, RDF_TYPE, f"<{RZ}{_CLASSES[number % ORGANISATIONS]}>"
        yield s, _NAME, f'"{wording.name(number)}{draws.pick(wording.SUFFIXES)}"@en'
        if draws.is_within(50):
            yield s, f"<{RZ}country>", draws.pick(wording.COUNTRIES)
        yield from self._date(s, "founded", 80)

    def _network(self) -> Iterator[Triple]:
        s, draws = self._network_iri(self.number), self.draws
        yield s, RDF_TYPE, f"<{RZ}Network>"
        name = wording.word(self.number * 7)
        yield s, _NAME, f'"{name} network {self.number}"@en'
        yield s, _NAME, f'"Réseau {name} {self.number}"@fr'
        yield s, f"<{RZ}sector>", draws.pick(wording.SECTORS)
        yield s, f"<{RZ}objective>", draws.pick(wording.OBJECTIVES)
        yield from self._date(s, "founded", 90)
        yield from self._own_membership(self.number)

    def _network_iri(self, number: int) -> str:
        return f"<{ENTITY}network/{wording.slug(number * 7)}-{number:05}>"

    # --- relations ---------------------------------------------------------------------------

    def _partner(self) -> str:
        """Return a partner: out of the few who are in everything, or out of all."""
        draws, most = self.draws, self.organisations
        if self.overlap == "much" and draws.is_within(85):
            chosen = draws.below(max(20, most // _HUB)) * _HUB
            number = chosen % most
        else:
            number = draws.below(most)
        if number % ORGANISATIONS < CLUSTERS:
            number += CLUSTERS
        return organisation_iri(number)

    def _cluster(self) -> str:
        draws = self.draws
        return organisation_iri(draws.below(self.sources) * ORGANISATIONS + draws.below(6))

    def _membership(self) -> Iterator[Triple]:
        draws = self.draws
        first = self.number * ORGANISATIONS
        member = organisation_iri(first + draws.below(ORGANISATIONS))
        if draws.is_within(60):
            group = organisation_iri(first + draws.below(CLUSTERS))
        else:
            group = self._network_iri(draws.below(self.sources))
        role = draws.pick(wording.ROLES)
        if member != group and (member, group, role) not in self.memberships:
            self.memberships.add((member, group, role))
            yield from self._member(member, group, role)

    def _own_membership(self, number: int) -> Iterator[Triple]:
        """Yield that the first cluster of a source leads its network: two sources say so."""
        cluster = organisation_iri(number * ORGANISATIONS)
        yield from self._member(cluster, self._network_iri(number), "lead")

    def _member(self, member: str, group: str, role: str) -> Iterator[Triple]:
        s = f"<{ENTITY}membership/{_slug(member)}--{_slug(group)}--{role}>"
        yield s, RDF_TYPE, f"<{RZ}Membership>"
        yield s, f"<{_ORG}member>", member
        yield s, f"<{_ORG}organization>", group
        yield s, f"<{_ORG}role>", f"<{ENTITY}concept/role--{role}>"
        yield from self._date(s, "started", 35)
        yield from self._evidenced(s)

    def _memorandum(self, number: int) -> Iterator[Triple]:
        draws = self.draws
        slug = f"{wording.slug(self.number * 11 + number)}-{self.number:05}-{number}"
        s = f"<{ENTITY}memorandum/{slug}>"
        yield s, RDF_TYPE, f"<{RZ}MemorandumOfUnderstanding>"
        yield s, _NAME, f'"Memorandum {self.number}.{number} on {wording.title(draws)}"@en'
        yield s, _NAME, f'"Protocole d’accord {self.number}.{number}"@fr'
        yield s, f"<{RZ}scope>", draws.pick(wording.OBJECTIVES)
        yield s, f"<{RZ}establishes>", self._network_iri(self.number)
        yield from self._date(s, "validFrom", 70)
        yield from self._evidenced(s)
        parties = list(dict.fromkeys(self._cluster() for _ in range(draws.between(3, 6))))
        yield s, f"<{RZ}statedPartyCount>", f'"{len(parties)}"^^<{XSD}integer>'
        for party in parties:
            signature = f"<{ENTITY}signature/{slug}--{_slug(party)}>"
            yield signature, RDF_TYPE, f"<{RZ}Signature>"
            yield signature, f"<{RZ}agreement>", s
            yield signature, f"<{RZ}signatory>", party
            yield from self._date(signature, "signed", 70)
            yield from self._evidenced(signature)

    def _project(self, number: int) -> Iterator[Triple]:
        draws = self.draws
        slug = f"{wording.slug(self.number * 13 + number)}-{self.number:05}-{number}"
        s = f"<{ENTITY}project/{slug}>"
        yield s, RDF_TYPE, f"<{RZ}Project>"
        yield s, f"<{RZ}acronym>", f'"{slug.upper()}"'
        yield s, f"<{_EURIO}title>", f'"{wording.title(draws)}"@en'
        yield s, f"<{_EURIO}identifier>", f'"{101000000 + self.number * 100 + number}"'
        for _ in range(2):
            yield s, f"<{RZ}topic>", draws.pick(wording.TOPICS)
        yield s, f"<{RZ}sector>", draws.pick(wording.SECTORS)
        cost = draws.between(200, 8000) * 1000
        yield s, f"<{RZ}totalCost>", f'"{cost}"^^<{XSD}decimal>'
        yield from self._date(s, "started", 95)
        yield from self._date(s, "ended", 70)
        yield s, _EVIDENCE, self._evidence_iri()
        clusters = [self._cluster() for _ in range(draws.between(2, 3))]
        partners = [self._partner() for _ in range(draws.between(1, 4))]
        for order, organisation in enumerate(dict.fromkeys([*clusters, *partners])):
            yield from self._project_role(s, organisation, order)

    def _project_role(self, project: str, organisation: str, order: int) -> Iterator[Triple]:
        s = f"<{ENTITY}project-role/{_slug(project)}--{_slug(organisation)}>"
        role = "coordinator" if order == 0 else self.draws.pick(("partner", "participant"))
        yield s, RDF_TYPE, f"<{RZ}ProjectRole>"
        yield s, f"<{_EURIO}isInvolvedIn>", project
        yield s, f"<{_EURIO}isRoleOf>", organisation
        yield s, f"<{_EURIO}roleLabel>", f'"{role}"'
        if self.draws.is_within(30):
            share = self.draws.between(10, 900) * 1000
            yield s, f"<{RZ}euContribution>", f'"{share}"^^<{XSD}decimal>'
        yield from self._evidenced(s)

    # --- what many have ------------------------------------------------------------------------

    def _evidenced(self, subject: str) -> Iterator[Triple]:
        draws = self.draws
        status = "stated" if draws.is_within(85) else draws.pick(("inferred", "disputed"))
        yield subject, _STATUS, f'"{status}"'
        if self.evidence and draws.is_within(50):  # one sentence is evidence for several things
            yield subject, _EVIDENCE, self._evidence_iri()
        else:
            yield from self._new_evidence()
            yield subject, _EVIDENCE, self._evidence_iri()

    def _evidence_iri(self) -> str:
        return f"<{ENTITY}evidence/generated-{self.number:05}-{self.evidence}>"

    def _new_evidence(self) -> Iterator[Triple]:
        draws = self.draws
        self.evidence += 1
        s = self._evidence_iri()
        yield s, RDF_TYPE, f"<{RZ}Evidence>"
        yield s, "<http://www.w3.org/ns/prov#hadPrimarySource>", self.iri
        if draws.is_within(60):
            yield s, f"<{RZ}quote>", f'"{wording.quote(draws)}"'
        else:
            yield s, f"<{RZ}locator>", f'"page {draws.between(1, 80)}, row {self.evidence}"'

    def _date(self, subject: str, name: str, percent: int) -> Iterator[Triple]:
        """Yield a date in its three parts, in `percent` of a hundred cases."""
        if not self.draws.is_within(percent):
            return
        for part, literal in wording.date(self.draws):
            yield subject, f"<{RZ}{name}{part}>", literal
