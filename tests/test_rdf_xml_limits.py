"""What RDF/XML cannot say is refused before the first byte."""

from __future__ import annotations

import numpy as np
import pytest

from graph.curation.rdfxml import check_rdf_xml
from graph.curation.statements import Statements
from graph.errors import BadValueError
from graph.store.term_table import TermTable
from graph.terms import write_literal


def state(text: str) -> Statements:
    """One statement with a text."""
    terms = TermTable()
    subject, value = terms.add("<http://e/s>"), terms.add(write_literal(text))
    terms.compact()
    numbers = [np.array([number], np.uint32) for number in (subject, 0, value, 0)]
    return Statements(terms, ("<http://e/p>",), ("<http://e/g>",), *numbers)


@pytest.mark.parametrize("letter", ["\b", "\f", "\x01", "\x1f", "\ufffe"])
def test_a_text_that_xml_has_no_way_to_hold_is_refused(letter: str) -> None:
    with pytest.raises(BadValueError, match="control character"):
        check_rdf_xml(state(f"a{letter}b"))


@pytest.mark.parametrize("letter", ["\t", "\n", "\r", '"', "\\", "\x7f"])
def test_what_is_only_escaped_in_n_triples_is_taken(letter: str) -> None:
    check_rdf_xml(state(f"a{letter}b"))
