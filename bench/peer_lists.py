"""Lists as the peers answer them: filtered, by what they are tied to, and summed up.

What finds the nodes is each peer's own; here are the types and fields that they have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import strawberry

#: Name and identifier of organisations, and of a role: what kind, of which project, what it got.
Names = Mapping[str, str | None]
Role = tuple[str, str, float | None]


@dataclass(frozen=True, slots=True)
class Lists:
    """How a peer finds things.

    `named` gives organisations of a country with a text in their name, `with_partners` the first
    clusters that share a project with an organisation of a country, in the order of their IRIs,
    `roles` all roles of the organisations of a country.
    """

    named: Callable[[str, str], Names]
    with_partners: Callable[[str, int], Names]
    roles: Callable[[str], Sequence[Role]]


@strawberry.type
class Named:
    """An organisation, of which only the name is asked."""

    id: strawberry.ID
    name: str | None


@strawberry.type
class Page:
    """Some organisations, and how many there are."""

    total_count: int
    nodes: list[Named]


@strawberry.type
class Kind:
    """How many roles are of a kind."""

    value: str
    count: int


@strawberry.type
class Sums:
    """What roles are as a whole."""

    count: int
    contribution: float | None
    projects: int
    kinds: list[Kind]


def list_query(lists: Lists) -> type:
    """Return the fields of lists as a base of a peer's `Query`."""

    @strawberry.type
    class ListQuery:
        """What can be asked of lists."""

        @strawberry.field
        def filtered(self, text: str, country: strawberry.ID, first: int) -> Page:
            """Organisations of a country with a text in their name, by their names."""
            found = lists.named(text, country)
            ordered = sorted(found.items(), key=lambda item: ((item[1] or "").lower(), item[0]))
            return Page(total_count=len(found), nodes=_nodes(dict(ordered[:first])))

        @strawberry.field
        def nested(self, country: strawberry.ID, first: int) -> list[Named]:
            """Clusters that share a project with an organisation of a country."""
            return _nodes(lists.with_partners(country, first))

        @strawberry.field
        def summed(self, country: strawberry.ID) -> Sums:
            """What the roles of organisations of a country are as a whole."""
            found = lists.roles(country)
            known = [amount for _, _, amount in found if amount is not None]
            counts: dict[str, int] = {}
            for kind, _, _ in found:
                counts[kind] = counts.get(kind, 0) + 1
            return Sums(
                count=len(found),
                contribution=sum(known) if known else None,
                projects=len({project for _, project, _ in found}),
                kinds=[Kind(value=kind, count=counts[kind]) for kind in sorted(counts)],
            )

    return ListQuery


def _nodes(names: Names) -> list[Named]:
    return [Named(id=strawberry.ID(iri), name=name) for iri, name in names.items()]


FILTERED: Final = """\
query Filtered($text: String!, $country: ID!) {
  filtered(first: 20, text: $text, country: $country) { totalCount nodes { id name } }
}"""
NESTED: Final = """\
query Nested($country: ID!) { nested(first: 20, country: $country) { id name } }"""
SUMMED: Final = """\
query Summed($country: ID!) {
  summed(country: $country) { count contribution projects kinds { value count } }
}"""
