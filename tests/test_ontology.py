"""The ontology: sound as SHACL, whole in two languages, and what is generated from it current."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from graphql import print_schema
from pyshacl import validate
from rdflib import Graph

from graph.errors import OntologyError
from graph.model import Model
from graph.shapes import FOLDER, load_model
from graph.terms import RDF, RDFS, RZ, SKOS, read_literal
from schema.loading import load_schema
from schema.naming import enum_value_name
from schema.reference import classes_page, shapes_page
from schema.sdl import print_sdl
from schema.types import build_schema

ROOT = Path(__file__).parent.parent
LABEL = f"<{RDFS}label>"


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


def test_the_shapes_pass_shacl_shacl() -> None:
    shapes = Graph().parse(FOLDER / "shapes.ttl")
    conforms, _, text = validate(Graph(), shacl_graph=shapes, meta_shacl=True)
    assert conforms, text


def test_the_schemes_conform_to_the_shapes() -> None:
    shapes = Graph().parse(FOLDER / "shapes.ttl")
    vocabulary = Graph().parse(FOLDER / "rhizome.ttl")
    schemes = Graph().parse(FOLDER / "schemes.ttl")
    conforms, _, text = validate(schemes, shacl_graph=shapes, ont_graph=vocabulary)
    assert conforms, text


def test_every_class_and_field_has_both_languages(model: Model) -> None:
    for shape in model.classes.values():
        for texts in (shape.labels, shape.comments):
            assert texts["en"].strip()
            assert texts["fr"].strip()
        for field in shape.own_fields:
            for texts in (field.labels, field.comments):
                assert texts["en"].strip(), field
                assert texts["fr"].strip(), field


def test_own_terms_are_declared_with_labels_in_both_languages(model: Model) -> None:
    declared: dict[str, set[str]] = {}
    for subject, predicate, value, _ in model.system_quads:
        if predicate == LABEL:
            declared.setdefault(subject, set()).add(str(read_literal(value)[2]))
    own = {iri for iri in (*model.classes, *model.predicates) if iri.startswith(RZ)}
    assert {iri: declared.get(f"<{iri}>", set()) for iri in own} == {
        iri: {"en", "fr"} for iri in own
    }


def test_every_concept_has_both_languages_and_a_scheme(model: Model) -> None:
    concepts: dict[str, list[tuple[str, str]]] = {}
    for subject, predicate, value, _ in model.system_quads:
        concepts.setdefault(subject, []).append((predicate, value))
    found = {
        subject: said
        for subject, said in concepts.items()
        if (f"<{RDF}type>", f"<{SKOS}Concept>") in said
    }
    assert len(found) > 150
    for subject, said in found.items():
        languages = {read_literal(v)[2] for p, v in said if p == f"<{SKOS}prefLabel>"}
        assert {"en", "fr"} <= languages, subject
        assert any(p == f"<{SKOS}inScheme>" for p, _ in said), subject


def test_each_enum_has_its_values_as_concepts(model: Model) -> None:
    notations: dict[str, set[str]] = {}
    schemes = {s: o for s, p, o, _ in model.system_quads if p == f"<{SKOS}inScheme>"}
    for subject, predicate, value, _ in model.system_quads:
        if predicate == f"<{SKOS}notation>" and subject in schemes:
            notations.setdefault(schemes[subject][1:-1], set()).add(read_literal(value)[0])
    for shape in model.classes.values():
        for field in shape.own_fields:
            if field.enum_name:
                assert field.scheme is not None
                assert set(field.enum_values) <= notations[field.scheme], field.name


def test_names_are_unique_where_they_meet(model: Model) -> None:
    roots = [n for c in model.classes.values() for n in (c.field_name, c.plural)]
    assert len(roots) == len(set(roots))
    types = [c.name for c in model.classes.values()] + list(model.enum_values)
    types += [c.concrete_name for c in model.classes.values() if c.concrete_name != c.name]
    assert len(types) == len(set(types))
    for values in model.enum_values.values():
        assert len({enum_value_name(v) for v in values}) == len(values)


@pytest.mark.generated
def test_generated_files_are_current(
    model: Model, assert_current: Callable[[Path, str], None]
) -> None:
    assert_current(ROOT / "schema" / "schema.graphql", print_sdl(model, build_schema(model)))
    assert_current(ROOT / "docs" / "classes.md", classes_page(model))
    assert_current(ROOT / "docs" / "shapes.md", shapes_page(model))


def test_reads_use_the_committed_schema_or_one_made_anew(model: Model, tmp_path: Path) -> None:
    made = build_schema(model)
    assert print_schema(load_schema(model)) == print_schema(made)
    assert print_schema(load_schema(model, tmp_path / "none")) == print_schema(made)
    (tmp_path / "old").write_text("# of another model\n\ntype Query { old: Int }\n")
    assert print_schema(load_schema(model, tmp_path / "old")) == print_schema(made)


# --- a broken ontology stops the start -----------------------------------------------------------

HEAD = """
@prefix rz: <https://w3id.org/rhizome/ontology#> . @prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> . @prefix s: <urn:s:> .
<https://w3id.org/rhizome/ontology> a owl:Ontology ; owl:versionInfo "1" .
s:A a sh:NodeShape ; sh:targetClass rz:A ; rz:graphqlName "A" ; rz:graphqlField "a" ;
  rz:graphqlPlural "as" ; rdfs:label "a"@en, "a"@fr ; rdfs:comment "c"@en, "c"@fr ;
  sh:property s:f .
s:f sh:name "f"@en, "f"@fr ; sh:description "f"@en, "f"@fr ; rz:graphqlName "f" ;
"""


def test_a_small_ontology_is_read(tmp_path: Path) -> None:
    (tmp_path / "shapes.ttl").write_text(HEAD + "sh:path rz:f ; sh:datatype xsd:string .")
    model = load_model(tmp_path)
    assert [field.name for field in model.by_name["A"].own_fields] == ["f"]


@pytest.mark.parametrize(
    ("rest", "problem"),
    [
        ("sh:datatype xsd:string .", "has no sh:path"),
        ("sh:path rz:f .", "neither sh:datatype, sh:class nor sh:nodeKind"),
        ("sh:path ( rz:f rz:g ) ; sh:datatype xsd:string .", "only predicate and inverse paths"),
        ("sh:path rz:f ; sh:datatype xsd:string ; sh:equals rz:g .", "sh:equals is not supported"),
        ("sh:path rz:f , rz:g ; sh:datatype xsd:string .", "stands 2 times"),
        ('sh:path rz:f ; rz:datePart "text" ; sh:datatype xsd:string .', "needs text, earliest"),
        (
            "sh:path rz:f ; sh:datatype xsd:string . s:B a sh:NodeShape ; sh:targetClass rz:A ; "
            'rz:graphqlName "B" .',
            "both describe",
        ),
        (
            'sh:path rz:f ; sh:datatype xsd:string . s:B a sh:NodeShape ; rz:graphqlName "B" .',
            "no sh:targetClass",
        ),
        (
            "sh:path rz:f ; sh:datatype xsd:string . s:B a sh:NodeShape ; sh:targetClass rz:B ; "
            'rz:graphqlName "B" ; rz:graphqlField "b" ; rz:graphqlPlural "bs" ; '
            'rdfs:label "b"@en .',
            "is missing in fr",
        ),
        ('sh:path rz:f ; sh:datatype xsd:string ; rz:searchRole "title" .', "is none of name"),
        ('sh:path rz:f ; sh:datatype xsd:date ; rz:searchRole "name" .', "holds no text"),
        (
            'sh:path rz:f ; sh:datatype xsd:string ; rz:searchRole "name" . s:A sh:property s:g . '
            's:g sh:name "g"@en, "g"@fr ; sh:description "g"@en, "g"@fr ; rz:graphqlName "g" ; '
            'sh:path rz:f ; sh:datatype xsd:string ; rz:searchRole "acronym" .',
            "two roles in search",
        ),
    ],
)
def test_a_broken_ontology_names_shape_and_fault(tmp_path: Path, rest: str, problem: str) -> None:
    (tmp_path / "shapes.ttl").write_text(HEAD + rest)
    with pytest.raises(OntologyError, match=problem):
        load_model(tmp_path)


def test_an_empty_folder_is_no_ontology(tmp_path: Path) -> None:
    with pytest.raises(OntologyError, match="holds no ontology"):
        load_model(tmp_path)
