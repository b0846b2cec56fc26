from __future__ import annotations

import random
import time
from collections.abc import Iterable
from functools import cache

import pyshacl
import pytest
import rdflib
from rdflib.namespace import RDF, SH

from graph.curation.formats import open_file, read_own
from graph.curation.normalise import normalise
from graph.curation.validate import Validator
from graph.curation.view import View
from graph.errors import Violation
from graph.model import ONTOLOGY_GRAPH
from graph.terms import Quad
from tests import samples
from tests.require import ROOT
from tests.samples import base, iri, model, read_trig, rz, snapshot_of

ONE, TWO = iri("source/one"), iri("source/two")
TYPE = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
LABEL = "<http://www.w3.org/2004/02/skos/core#prefLabel>"

#: Focus node, path, constraint and severity: what two validators must agree on.
Key = tuple[str, str | None, str, str]


@cache
def validator() -> Validator:
    return Validator(model())


def _whole(quads: Iterable[Quad]) -> list[Violation]:
    """Validate as new data on an empty dataset."""
    return validator().validate(View(snapshot_of(()), quads))


def _change(
    added: Iterable[Quad] = (), removed: Iterable[Quad] = (), language: str = "en"
) -> list[Violation]:
    """Validate a change of the sample; what the sample itself warns of is left out."""
    found = validator().validate(View(snapshot_of(base()), added, removed), language)
    known = {_fields(v) for v in validator().validate(View(snapshot_of(()), base()), language)}
    return [v for v in found if _fields(v) not in known]


def _fields(v: Violation) -> tuple[str | None, ...]:
    return (v.focus_node, v.path, v.value, v.constraint, v.severity, v.graph, v.message)


def _edited(old: str, new: str) -> tuple[Quad, ...]:
    assert samples.BASE.count(old) >= 1, old
    return tuple(read_trig(samples.BASE.replace(old, new, 1)))


def _blocking(found: Iterable[Violation]) -> list[Violation]:
    return [v for v in found if v.severity == "Violation"]


def test_the_sample_is_valid_and_its_gaps_are_warnings() -> None:
    found = _whole(base())
    assert _blocking(found) == []
    assert [(v.focus_node, v.constraint) for v in found] == [
        (iri("memorandum/m"), "sparql"),
        (iri("organisation/c"), "sparql"),
        (iri("signature/m--a"), "minCount"),
        (iri("signature/m--b"), "minCount"),
        (iri("source/two"), "minCount"),
    ]
    assert found[0].message == "A source states 3 parties; signatories known by name: 2."


@pytest.mark.parametrize(
    ("given_", "constraint"),
    [
        ("2147483647", None),
        ("2147483648", "maxInclusive"),
        ("99999999999999999999", "maxInclusive"),
        ("-2147483649", "minInclusive"),
    ],
)
def test_numbers_that_graphql_cannot_answer_are_refused(
    given_: str, constraint: str | None
) -> None:
    found = _blocking(_whole(_edited("statedPartyCount 3", f"statedPartyCount {given_}")))
    found = [v for v in found if v.constraint in ("minInclusive", "maxInclusive")]
    if constraint == "minInclusive":  # the shape asks for a count as well
        found = [v for v in found if "-2147483648" in v.message]
    assert [(v.constraint, v.severity) for v in found] == (
        [(constraint, "Violation")] if constraint else []
    )


def test_a_year_with_a_time_zone_is_refused() -> None:
    call = (
        "  <https://w3id.org/rhizome/id/territory/x> a rz:Territory ; "
        'rz:nutsVersion "YEAR"^^xsd:gYear .\n  organisation:b a'
    )
    for year, broken in (("2021", []), ("2021Z", ["pattern"]), ("2021+01:00", ["pattern"])):
        found = _whole(_edited("  organisation:b a", call.replace("YEAR", year)))
        assert [
            v.constraint for v in _blocking(found) if v.path and v.path.endswith("nutsVersion>")
        ] == broken


# --- the same as pySHACL -----------------------------------------------------------------------


@cache
def _ontology() -> tuple[rdflib.Graph, rdflib.Graph, rdflib.Graph]:
    """Shapes, vocabulary and schemes, for pySHACL."""
    graphs = rdflib.Graph(), rdflib.Graph(), rdflib.Graph()
    for graph, name in zip(graphs, ("shapes", "rhizome", "schemes"), strict=True):
        graph.parse(ROOT / "ontology" / f"{name}.ttl")
    return graphs


def _by_pyshacl(quads: Iterable[Quad]) -> set[Key]:
    """What pySHACL says of the union of the graphs, about nodes of the data alone."""
    shapes, vocabulary, schemes = _ontology()
    data = rdflib.Graph()
    data.parse(data="\n".join(" ".join(quad[:3]) + " ." for quad in quads), format="nt")
    ours = set(data.subjects())
    for triple in schemes:
        data.add(triple)
    _, results, _ = pyshacl.validate(data, shacl_graph=shapes, ont_graph=vocabulary)
    assert isinstance(results, rdflib.Graph)
    keys: set[Key] = set()
    for result in results.subjects(RDF.type, SH.ValidationResult):
        focus = results.value(result, SH.focusNode)
        assert focus is not None
        if focus in ours:
            keys.add((focus.n3(), *_result(results, result)))
    return keys


def _result(results: rdflib.Graph, result: rdflib.term.Node) -> tuple[str | None, str, str]:
    path = results.value(result, SH.resultPath)
    text = None if path is None else path.n3()
    if isinstance(path, rdflib.BNode):
        inverse = results.value(path, SH.inversePath)
        assert inverse is not None
        text = f"^{inverse.n3()}"
    component = str(results.value(result, SH.sourceConstraintComponent)).removeprefix(str(SH))
    component = component.removesuffix("ConstraintComponent")
    name = "sparql" if component == "SPARQL" else component[0].lower() + component[1:]
    severity = str(results.value(result, SH.resultSeverity)).removeprefix(str(SH))
    return text, name, severity


def _keys(found: Iterable[Violation], *, leave_out: Iterable[str] = ("closed",)) -> set[Key]:
    return {
        (v.focus_node, v.path, v.constraint, v.severity)
        for v in found
        if v.constraint not in leave_out
    }


def _flat(quads: Iterable[Quad]) -> list[Quad]:
    """The same in one graph, where rules per graph and on the union are the same."""
    return [(s, p, o, ONE) for s, p, o, _ in quads]


LONG = "x" * 201
EVIDENCE = "rz:evidence evidence:one-1 ;\n    rz:startedText"
MEMBERSHIP = "membership/a--n--member"
#: Text of the sample, what it becomes, and the constraint (with its focus node) that breaks.
MUTATIONS: list[tuple[str, str, tuple[str, str]]] = [
    ('rz:status "stated" ; rz:evidence evidence:one-1 ;\n', "", (MEMBERSHIP, "minCount")),
    ('"inferred"', '"perhaps"', ("signature/m--b", "in")),
    (
        "rz:signatory organisation:b",
        "rz:signatory organisation:b , organisation:a",
        ("signature/m--b", "maxCount"),
    ),
    ("org:role role:member", "org:role sector:seeds", (MEMBERSHIP, "node")),
    ("org:role role:member", "org:role role:king", (MEMBERSHIP, "class")),
    ('"2011-01-01"^^xsd:date', '"2011-01-01"', (MEMBERSHIP, "datatype")),
    ("org:member organisation:a ; ", "", (MEMBERSHIP, "minCount")),
    ("org:member organisation:a", "org:member memorandum:m", (MEMBERSHIP, "class")),
    ("country:FRA", '"France"', ("organisation/a", "class")),
    ('rz:acronym "B" ; ', "", ("organisation/b", "sparql")),
    ('"A joined N."', f'"{LONG}"', ("evidence/one-1", "maxLength")),
    ("rz:statedPartyCount 3", "rz:statedPartyCount -1", ("memorandum/m", "minInclusive")),
    ("rz:statedPartyCount 3", 'rz:statedPartyCount "3"', ("memorandum/m", "datatype")),
    ('"Pôle A"@fr', '"Pôle A"@en', ("organisation/a", "uniqueLang")),
    ('"Network N"@en', '"Network N"', ("network/n", "datatype")),
    ('skos:prefLabel "Network N"@en ; ', "", ("network/n", "minCount")),
    ('rz:sourceKind "webPage"', 'rz:sourceKind "rumour"', ("source/one", "in")),
    ('rz:euParticipantId "999999999"', 'rz:euParticipantId "none"', ("organisation/c", "pattern")),
    ('rz:acronym "B" ;', 'rz:acronym "" ; skos:exactMatch "b" ;', ("organisation/b", "nodeKind")),
    ('rz:locator "page 3"', 'rz:locator ""', ("evidence/two-1", "minLength")),
    (' ; rz:locator "page 3"', "", ("evidence/two-1", "sparql")),
    ("prov:hadPrimarySource source:two ;", "", ("evidence/two-1", "minCount")),
    (
        "membership:a--n--member a rz:Membership",
        "membership:a--n--member a rz:Evidence",
        ("network/n", "class"),
    ),
    ("memorandum:m a rz:MemorandumOfUnderstanding ;", "memorandum:m", ("signature/m--a", "class")),
    ("signatory organisation:b", "signatory organisation:a", ("signature/m--b", "sparql")),
    ("rz:statedPartnerCount 1", "rz:statedPartnerCount 2", ("project/p", "sparql")),
    (EVIDENCE, EVIDENCE.replace("evidence:one-1", "organisation:a"), (MEMBERSHIP, "class")),
    ('"coordinator"', '"boss"', ("project-role/p--a", "in")),
]


@pytest.mark.parametrize(("old", "new", "expected"), MUTATIONS)
def test_a_mutation_is_found_as_pyshacl_finds_it(
    old: str, new: str, expected: tuple[str, str]
) -> None:
    quads = _flat(_edited(old, new))
    found = _keys(_whole(quads))
    assert expected in {(focus[len(iri("")) - 1 : -1], name) for focus, _, name, _ in found}
    assert _comparable(found) == _comparable(_by_pyshacl(quads))


@pytest.mark.parametrize("seed", range(8))
def test_random_damage_is_found_as_pyshacl_finds_it(seed: int) -> None:
    quads = _damaged(random.Random(seed), _flat(base()), 6)
    assert _comparable(_keys(_whole(quads))) == _comparable(_by_pyshacl(quads))


def _comparable(found: set[Key]) -> set[Key]:
    """Leave out rules asked about values of a wrong datatype.

    rdflib says that a number is less than a text; by SPARQL 1.1, section 17.3, that is an error.
    """
    ill_typed = {focus for focus, _, name, _ in found if name == "datatype"}
    return {key for key in found if key[2] != "sparql" or key[0] not in ill_typed}


def _damaged(random_: random.Random, quads: Iterable[Quad], changes: int) -> list[Quad]:
    """Quads with some dropped and some given the value of another."""
    damaged = sorted(set(quads))
    for _ in range(changes):
        place = random_.randrange(len(damaged))
        s, p, _, g = damaged[place]
        if random_.random() < 0.5:
            del damaged[place]
        elif p != TYPE:  # classes outside the model are found by us alone
            values = [q[2] for q in damaged if q[1] != TYPE]
            damaged[place] = (s, p, random_.choice(values), g)
    return sorted(set(damaged))


@cache
def _seeds() -> tuple[Quad, ...]:
    quads: dict[Quad, None] = {}
    for path in sorted((ROOT / "seeds").glob("*.trig")):
        result = normalise(read_own(open_file(path)), samples.SETTINGS)
        assert result.violations == (), path.name
        quads.update(dict.fromkeys(result.quads))
    return tuple(quads)


def test_the_seeds_have_no_violation() -> None:
    assert _blocking(_whole(_seeds())) == []


def test_the_seeds_have_the_warnings_that_pyshacl_finds() -> None:
    per_graph = ("closed", "maxCount", "uniqueLang")
    by_pyshacl = {key for key in _by_pyshacl(_seeds()) if key[2] not in per_graph}
    assert _keys(_whole(_seeds()), leave_out=per_graph) == by_pyshacl


# --- per graph and on the union ----------------------------------------------------------------


def _named(name: str, graph: str) -> Quad:
    return (iri("organisation/a"), LABEL, f'"{name}"@en', graph)


def test_sources_may_differ_where_one_source_may_not() -> None:
    assert _change([_named("Third name", TWO)]) != []
    three = iri("source/three")
    source = read_trig(
        'source:three { source:three a rz:Source ; dct:title "T" ; rz:sourceKind "webPage" ; '
        'dct:dateAccepted "2026-03-01"^^xsd:date . }'
    )
    assert _change([*source, _named("Third name", three)]) == []


def test_too_many_values_name_their_graph() -> None:
    found, _ = _change([(iri("memorandum/m"), rz("statedPartyCount"), _integer(9), ONE)])
    assert (found.constraint, found.graph) == ("maxCount", ONE[1:-1])
    assert found.message == "takes at most 1 value(s) from one source, has 2"
    (found,) = _change([_named("Other", ONE)])
    assert (found.constraint, found.graph) == ("uniqueLang", ONE[1:-1])
    assert "language en" in found.message


def test_a_wrong_value_names_each_graph_that_states_it() -> None:
    wrong = [(iri("signature/m--a"), rz("status"), '"perhaps"', graph) for graph in (ONE, TWO)]
    found = [v for v in _change(wrong) if v.constraint == "in"]
    assert {v.graph for v in found} == {ONE[1:-1], TWO[1:-1]}


def test_presence_and_class_hold_on_the_union() -> None:
    moved = [q for q in base() if q[:2] == (iri("organisation/b"), TYPE)]
    assert _change([(*moved[0][:3], TWO)], moved) == []
    country = [q for q in base() if q[0] == iri("organisation/b") and q[1] == rz("country")]
    assert _change([], country)[0].constraint == "minCount"
    assert _change([(*country[0][:3], TWO)], country) == []


def _integer(number: int) -> str:
    return f'"{number}"^^<http://www.w3.org/2001/XMLSchema#integer>'


# --- no place in the model -----------------------------------------------------------------------


def test_an_unknown_field_is_answered_with_near_names() -> None:
    (found,) = _change([(iri("organisation/a"), rz("acronim"), '"PA"', ONE)])
    assert (found.constraint, found.path, found.graph) == ("closed", rz("acronim"), ONE[1:-1])
    assert found.message == "rz:acronim is not a field of rz:Cluster; did you mean rz:acronym?"


def test_a_field_of_another_class_is_unknown() -> None:
    (found,) = _change([(iri("organisation/a"), rz("quote"), '"x"', ONE)])
    assert "rz:quote is not a field of rz:Cluster" in found.message


def test_an_unknown_class_is_answered_with_near_names() -> None:
    (found,) = _change([(iri("organisation/a"), TYPE, rz("Klusters"), ONE)])
    assert (found.constraint, found.path, found.value) == ("closed", TYPE, rz("Klusters"))
    assert "did you mean rz:Cluster" in found.message
    (found,) = _change([(iri("organisation/a"), TYPE, '"Cluster"', ONE)])
    assert found.message == "a class must be an IRI"


def test_an_abstract_class_alone_is_too_little() -> None:
    (found,) = _change(
        [
            (iri("organisation/z"), TYPE, rz("Actor"), ONE),
            (iri("organisation/z"), LABEL, '"Z"@en', ONE),
        ]
    )
    assert "rz:Actor has no instances of its own" in found.message
    assert _change([(iri("organisation/a"), TYPE, rz("Actor"), ONE)]) == []


def test_statements_about_nothing_known_are_refused() -> None:
    (found,) = _change([(iri("organisation/z"), LABEL, '"Z"@en', ONE)])
    assert (found.constraint, found.path, found.graph) == ("closed", TYPE, ONE[1:-1])


def test_concepts_of_the_ontology_may_be_spoken_of() -> None:
    seeds = iri("concept/sector--seeds")
    definition = "<http://www.w3.org/2004/02/skos/core#altLabel>"
    assert _change([(seeds, definition, '"sowing"@en', ONE)]) == []
    (found,) = _change([(seeds, rz("quote"), '"x"', ONE)])
    assert found.constraint == "closed"


# --- what a change touches ---------------------------------------------------------------------


def test_a_node_that_others_refer_to_may_not_lose_its_class() -> None:
    gone = [q for q in base() if q[0] == iri("network/n")]
    assert {(v.focus_node, v.constraint) for v in _blocking(_change([], gone))} == {
        (iri("membership/a--n--member"), "class"),
        (iri("memorandum/m"), "class"),
    }


def test_a_class_stated_elsewhere_holds() -> None:
    gone = [q for q in base() if q[0] == iri("organisation/a") and q[3] == TWO]
    assert _blocking(_change([], gone)) == []


def test_a_tie_from_a_wrong_class_is_seen_at_its_target() -> None:
    wrong = (iri("evidence/one-1"), "<http://www.w3.org/ns/org#member>", iri("organisation/b"), ONE)
    found = _blocking(_change([wrong]))
    assert (iri("organisation/b"), "^<http://www.w3.org/ns/org#member>") in {
        (v.focus_node, v.path) for v in found
    }


def test_a_new_tie_asks_the_rules_of_its_target() -> None:
    role = read_trig(
        "source:two { project-role:p--b a rz:ProjectRole ; eurio:isInvolvedIn project:p ; "
        'eurio:isRoleOf organisation:b ; eurio:roleLabel "partner" ; rz:status "stated" ; '
        "rz:evidence evidence:two-1 . }"
    )
    assert _change(role) == []
    removed = [q for q in base() if q[0] == iri("signature/m--b")]
    (found,) = [v for v in _change([], removed) if v.constraint == "sparql"]
    assert found.message == "A source states 3 parties; signatories known by name: 1."
    removed = [q for q in removed if q[1] == rz("signatory")]
    (found,) = [v for v in _change([], removed) if v.constraint == "sparql"]
    assert "known by name: 1" in found.message


def test_nothing_is_wrong_with_deleting_everything() -> None:
    assert _change([], base()) == []


def test_what_is_there_already_is_no_change() -> None:
    view = View(snapshot_of(base()), base(), [(*base()[0][:3], TWO)])
    assert (view.subjects, list(view.added), view.removed) == (set(), [], set())
    assert validator().validate(view) == []


def test_messages_come_in_french() -> None:
    (found,) = _change([(iri("organisation/a"), rz("acronim"), '"PA"', ONE)], language="fr")
    assert found.message.startswith("rz:acronim n'est pas un champ de rz:Cluster ; vouliez-vous")
    gone = [q for q in base() if q[0] == iri("signature/m--b") and q[1] == rz("evidence")]
    (found,) = _change([], gone, language="fr")
    assert found.message == "Au moins une preuve est requise."


@pytest.mark.parametrize("seed", range(60))
def test_a_change_is_seen_as_if_everything_were_looked_at(seed: int) -> None:
    random_ = random.Random(seed)
    before = base() if seed % 10 else _seeds()
    snapshot = snapshot_of(before)
    after = _damaged(random_, before, random_.randrange(1, 5))
    added, removed = set(after) - set(before), set(before) - set(after)
    view = View(snapshot, added, removed)
    seen = {_fields(v) for v in validator().validate(view)}
    earlier = {_fields(v) for v in _everything(before)}
    later = {_fields(v) for v in _everything(after)}
    assert seen <= later
    changed = view.subjects
    assert {v for v in later - earlier - seen if v[3] != "sparql" or v[0] in changed} == set()


def _everything(quads: Iterable[Quad]) -> list[Violation]:
    quads = tuple(quads)
    return validator().validate_nodes(View(snapshot_of(quads)), {quad[0] for quad in quads})


def test_a_view_answers_as_the_changed_dataset_would() -> None:
    random_ = random.Random(7)
    after = _damaged(random_, base(), 25)
    extra = [(s, p, o, TWO) for s, p, o, _ in random_.sample(after, 10)]
    after = sorted({*after, *extra})
    view = View(snapshot_of(base()), after, set(base()) - set(after))
    real = View(snapshot_of(after))
    nodes = {term for quad in (*base(), *after) for term in quad if term.startswith("<")}
    for node in nodes:
        assert sorted(view.quads_of(node)) == sorted(real.quads_of(node))
        assert sorted(view.quads_to(node)) == sorted(real.quads_to(node))
        assert view.types(node) == real.types(node)
        for predicate in {quad[1] for quad in after}:
            assert view.referrers(predicate, node) == real.referrers(predicate, node)
            assert sorted(view.values(node, predicate)) == sorted(real.values(node, predicate))
    assert all(view.contains(q) == (q in after) for q in {*base(), *after})
    counts = {g: sum(q[3] == g for q in after) for g in (ONE, TWO)}
    assert view.graphs() == {g: n for g, n in counts.items() if g in view.graphs()}


def test_a_change_of_twenty_nodes_is_validated_quickly() -> None:
    snapshot = snapshot_of(_seeds())
    nodes = sorted({q[0] for q in _seeds() if "/organisation/" in q[0]})[:20]
    alias = "<http://www.w3.org/2004/02/skos/core#altLabel>"
    added = [(node, alias, '"alias"@en', _seeds()[0][3]) for node in nodes]
    validator().validate(View(snapshot, added))
    began = time.process_time()
    for _ in range(5):
        assert _blocking(validator().validate(View(snapshot, added))) == []
    assert (time.process_time() - began) / 5 < 0.2  # about 0.004 s on an idle machine


def test_the_system_graph_is_never_at_fault() -> None:
    concepts = {q[0] for q in model().system_quads}
    found = validator().validate_nodes(View(snapshot_of(())), concepts)
    assert [v for v in found if v.graph == ONTOLOGY_GRAPH or v.constraint == "closed"] == []
