"""Rules that a relation is unique: no second node has the same values in all identity fields.

Floor 2. Such a rule is a SPARQL constraint of one fixed form; here it is recognised and answered
by a join that looks only at the values' smaller side, since one of them may be a hub with
thousands of ties. A constraint of another form is asked as the query that it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from graph.curation.view import View

#: `$this p ?a ; q ?b . ?value p ?a ; q ?b . FILTER ( ?value != $this )`, white space apart.
_FORM: Final = re.compile(
    r"SELECT DISTINCT \$this \?value WHERE \{ \$this (?P<own>[^.{}]+?) \. "
    r"\?value (?P<other>[^.{}]+?) \. FILTER \( \?value != \$this \) \}"
)


def identity_fields(body: str, expand: Callable[[str], str | None]) -> tuple[str, ...]:
    """Return the predicates (N-Triples texts) that a uniqueness rule compares, or nothing.

    Parameters
    ----------
    body : str
        A SELECT without its prefixes.
    expand : callable
        Returns the N-Triples text of a prefixed name, or None.
    """
    match = _FORM.fullmatch(" ".join(body.split()))
    if match is None or match["own"] != match["other"]:
        return ()
    pairs = [pair.split() for pair in match["own"].split(";")]
    if any(len(pair) != 2 or not pair[1].startswith("?") for pair in pairs):
        return ()
    predicates = [expand(name) for name, _ in pairs]
    if None in predicates or len({variable for _, variable in pairs}) != len(pairs):
        return ()
    return tuple(predicate for predicate in predicates if predicate is not None)


def find_doubles(view: View, node: str, fields: tuple[str, ...]) -> Iterator[str]:
    """Yield the other nodes that share a value of every field with a node.

    Cost: linear in the ties of the field whose values have the fewest.
    """
    values = {field: set(view.values(node, field)) for field in fields}
    ties = {
        field: sum(view.referrer_count(field, value) for value in stated)
        for field, stated in values.items()
    }
    first, *others = sorted(fields, key=lambda field: ties[field])
    found = {other for value in values[first] for other in view.referrers(first, value)}
    for other in sorted(found - {node}):
        if not any(values[field].isdisjoint(view.values(other, field)) for field in others):
            yield other
