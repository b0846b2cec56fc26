"""Hypothesis strategies: terms, literals, quads and small datasets, as N-Triples texts."""

from __future__ import annotations

import unicodedata

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from graph.terms import XSD, Quad, write_iri, write_literal

#: Any text that a literal may hold: no surrogates, no C0 controls but tab and line breaks.
texts: SearchStrategy[str] = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs", "Cc"]),
        st.sampled_from("\t\n\r\"\\'<>{}|^`@.;_:é\u2028\u202e\U0001f331"),
    ),
    max_size=40,
)

#: Texts in the form in which they are kept.
kept_texts: SearchStrategy[str] = texts.map(lambda text: unicodedata.normalize("NFC", text))

iris: SearchStrategy[str] = st.builds(
    lambda kind, slug: write_iri(f"https://w3id.org/rhizome/id/{kind}/{slug}"),
    st.sampled_from(["organisation", "network", "évènement"]),
    st.text("abcxyz0123456789-é", min_size=1, max_size=8),
)

graphs: SearchStrategy[str] = st.sampled_from(
    [f"<https://w3id.org/rhizome/id/source/{name}>" for name in ("a", "b", "c")]
)

predicates: SearchStrategy[str] = st.sampled_from(
    [f"<https://w3id.org/rhizome/ontology#{name}>" for name in ("name", "member", "started")]
)

languages: SearchStrategy[str] = st.sampled_from(["en", "fr", "de-at", "zh-hant-tw"])

literals: SearchStrategy[str] = st.one_of(
    st.builds(write_literal, kept_texts),
    st.builds(lambda text, tag: write_literal(text, language=tag), kept_texts, languages),
    st.integers().map(lambda n: write_literal(str(n), f"{XSD}integer")),
    st.dates().map(lambda d: write_literal(d.isoformat(), f"{XSD}date")),
    st.booleans().map(lambda b: write_literal(str(b).lower(), f"{XSD}boolean")),
)

objects: SearchStrategy[str] = st.one_of(iris, literals)

quads: SearchStrategy[Quad] = st.tuples(iris, predicates, objects, graphs)

#: Small datasets: a set of quads, so that nothing stands twice.
datasets: SearchStrategy[frozenset[Quad]] = st.frozensets(quads, max_size=25)
