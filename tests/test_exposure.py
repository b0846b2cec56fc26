"""What the shapes do not show stands in no answer."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from graph.access import anonymous
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.build import build_snapshot
from graph.terms import RZ
from schema.execute import Engine, Request
from schema.loading import load_schema
from tests.asking import code, data, organisation, small_dataset
from tests.snapshots import commit_of


def test_a_field_that_is_not_public_stands_in_no_answer() -> None:
    """What the schema does not have is not told by claims, contests and translations either."""
    model = load_model()
    snapshot = build_snapshot(model, [commit_of(small_dataset(), (), None)])
    iri = f"{RZ}Cluster"
    fields = {
        name: replace(field, exposure="private") if name in ("acronym", "name") else field
        for name, field in model.fields[iri].items()
    }
    hiding = copy(model)
    object.__setattr__(hiding, "fields", {**model.fields, iri: fields})
    settings = Settings()
    engine = Engine(hiding, load_schema(model), settings)
    hidden = replace(snapshot, model=hiding)
    identifier = organisation(0)[1:-1]
    for query in (
        f'{{ cluster(id: "{identifier}") {{ claims {{ field }} }} }}',
        f'{{ cluster(id: "{identifier}") {{ translations {{ field }} }} }}',
    ):
        found = str(engine.answer(Request(query), hidden, anonymous(settings)).data)
        assert "acronym" not in found
        assert "'name'" not in found
        told = str(engine.answer(Request(query), snapshot, anonymous(settings)).data)
        assert "'name'" in told
    query = '{ clusters(where: {contested: ["acronym"]}) { totalCount } }'
    assert code(engine.answer(Request(query), hidden, anonymous(settings))) == "BAD_VALUE"
    query = "{ clusters(where: {contested: []}) { totalCount } }"
    counts = [
        data(engine.answer(Request(query), each, anonymous(settings)))["clusters"]["totalCount"]
        for each in (snapshot, hidden)
    ]
    assert counts == [1, 0]
