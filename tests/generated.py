"""Generated GraphQL documents: how many, drawn by whom, asked of what, and what came of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any
from zlib import crc32

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    Visitor,
    parse_value,
    print_ast,
    visit,
)
from hypothesis import strategies as st
from hypothesis_graphql import nodes, queries

from graph.access import Viewer, anonymous
from graph.errors import leaves
from graph.model import Model
from graph.settings import Settings
from graph.store.build import build_snapshot
from graph.terms import Quad, is_literal, read_literal
from schema.aside_types import ASIDES
from schema.execute import Engine, Request
from tests.lifting import lift
from tests.naive import Naive
from tests.snapshots import commit_of

#: Documents asked in `make test` and in `make nightly`.
IN_TEST, IN_NIGHTLY = 2_000, 20_000
STATUS = {leaf.code: leaf.status for leaf in leaves()}


@dataclass
class Tally:
    """What came of the documents, by who drew them."""

    equal: Counter[str] = field(default_factory=Counter)
    refused: dict[str, Counter[str]] = field(default_factory=dict)

    def refuse(self, name: str, code: str) -> None:
        """Count a document that was refused with a code."""
        self.refused.setdefault(name, Counter())[code] += 1

    @property
    def asked(self) -> int:
        """How many documents were asked."""
        return self.equal.total() + sum(each.total() for each in self.refused.values())

    def lines(self) -> list[str]:
        """Say it, a line for each who drew."""
        found = [f"Generated documents: {self.asked:,} asked, {self.equal.total():,} as the naive "
                 "evaluator answers, no 5xx"]  # fmt: skip
        for name in sorted(set(self.equal) | set(self.refused)):
            codes = self.refused.get(name, Counter())
            told = ", ".join(f"{code} {count:,}" for code, count in codes.most_common())
            total = self.equal[name] + codes.total()
            found.append(f"  {name}: {total:,} asked, {self.equal[name]:,} equal; refused: {told}")
        return found


class World:
    """A dataset with both who answer over it, the compiled and the naive one."""

    def __init__(self, model: Model, schema: GraphQLSchema, quads: list[Quad]) -> None:
        self.schema = schema
        self.snapshot = build_snapshot(model, [commit_of(quads, (), None)])
        self.snapshot.search.build(self.snapshot)
        # Draws are wide: limits that only count the document would refuse a third of them unseen.
        wide = Settings(graphql_aliases=500, graphql_tokens=20_000, graphql_directives=500)
        self.engine = Engine(model, schema, wide)
        self.verbatim = Engine(model, schema, wide, rewrites=False)
        self.viewer: Viewer = anonymous(self.engine.settings)
        births = dict.fromkeys((quad[3] for quad in quads), 1)
        self.naive = Naive(model, schema, quads, births, 1)
        self.identifiers = sorted({quad[0][1:-1] for quad in quads})
        texts = {read_literal(quad[2])[0] for quad in quads if is_literal(quad[2])}
        plain = [text for text in texts if text.isprintable() and not {"\\", '"'} & set(text)]
        self.texts = sorted(plain)

    def check(self, name: str, document: str, tally: Tally) -> None:
        """Ask both and demand the same answer, or a refusal that is the client's fault.

        Half of the documents are asked with variables and fragments, and all again, when what
        was bound is kept.
        """
        request = asked = Request(document, languages=("en", "fr"))
        seed = crc32(document.encode())
        if seed % 2:
            lifted, variables = lift(document, self.schema, seed)
            asked = request._replace(query=lifted, variables=variables)
        answer = self.engine.answer(asked, self.snapshot, self.viewer)
        again = self.engine.answer(asked, self.snapshot, self.viewer)
        assert (again.data, again.errors) == (answer.data, answer.errors), asked
        if answer.errors:
            codes = {error["extensions"]["code"] for error in answer.errors}
            assert all(STATUS.get(code, 400) < 500 for code in codes), (document, answer.errors)
            tally.refuse(name, min(codes))
            return
        as_written = self.verbatim.answer(request, self.snapshot, self.viewer)
        if not as_written.errors:  # rules spare work, so a limit may be met without them only
            assert as_written.data == answer.data, document
        assert answer.data == self.naive.answer(document), document
        tally.equal[name] += 1


# --- drawn by hypothesis-graphql ------------------------------------------------------------------


def strategy(world: World, *, tame: bool, step: int) -> st.SearchStrategy[str]:
    """Documents of one root field; tame ones hold values of the dataset and no cursors.

    To prepare a root field takes a second, so that only each of so many is drawn from.
    """
    assert world.schema.query_type is not None
    fields = sorted(world.schema.query_type.fields.keys() - ASIDES)[::step]
    write = _tamed if tame else print_ast
    scalars = _scalars(world) if tame else _foreign_scalars()
    made: dict[str, st.SearchStrategy[str]] = {}

    def of(name: str) -> st.SearchStrategy[str]:
        if name not in made:
            made[name] = queries(
                world.schema,
                custom_scalars=scalars,
                fields=[name],
                allow_null=not tame,
                print_ast=write,
            )
        return made[name]

    return st.sampled_from(fields).flatmap(of)


Scalars = dict[str, st.SearchStrategy[ValueNode]]


def _scalars(world: World) -> Scalars:
    texts = [text for text in world.texts if len(text) < 60]
    identifiers = st.sampled_from(world.identifiers)
    words = st.sampled_from(texts) | st.sampled_from(texts).map(lambda text: text[:4]) | _TAGS
    return _foreign_scalars() | {
        "ID": identifiers.map(nodes.String),
        "URI": (identifiers | st.just("https")).map(nodes.String),
        "String": words.map(nodes.String),
        "Int": st.sampled_from([0, 1, 2, 3, 5, 10, 2011]).map(nodes.Int),
        "Float": st.sampled_from([0.5, 10.0, 500.0]).map(nodes.Float),
    }


def _foreign_scalars() -> Scalars:
    days = st.sampled_from(["2011-01-01", "2019-06-30", "2020-12-01"])
    return {
        "Date": days.map(nodes.String),
        "DateTime": days.map(lambda day: nodes.String(f"{day}T12:00:00Z")),
        "URI": st.just("https://example.org/").map(nodes.String),
    }


_TAGS = st.sampled_from(["en", "fr", "de", "name", "acronym", "Cluster"])


class _Tamer(Visitor):
    """Takes out what a draw cannot know: cursors, of a page one end, of `@oneOf` all but one."""

    def leave_field(self, node: FieldNode, *_: Any) -> FieldNode:
        """Return the field without them."""
        names = {argument.name.value for argument in node.arguments or ()}
        out = {"after", "before"} | ({"last"} if "first" in names else set())
        kept = (a for a in node.arguments or () if a.name.value not in out)
        return replace(node, arguments=tuple(map(_with_one_key, kept)))


def _with_one_key(argument: ArgumentNode) -> ArgumentNode:
    """Return an order or a list of group keys whose entries have one key each."""
    if argument.name.value not in ("orderBy", "by"):
        return argument
    given = argument.value
    entries = given.values if isinstance(given, ListValueNode) else (given,)
    found = [one for entry in entries if (one := _one_key(entry)) is not None]
    if argument.name.value == "by":
        found = found[:2] or [parse_value("{id: VALUE}")]
    return replace(argument, value=ListValueNode(values=tuple(found)))


def _one_key(value: ValueNode) -> ValueNode | None:
    """Return a key with the first of its ways that leads somewhere, None where none does."""
    if not isinstance(value, ObjectValueNode):
        return value
    for each in value.fields:
        below = _one_key(each.value)
        if below is not None:
            return ObjectValueNode(fields=(replace(each, value=below),))
    return None


def _tamed(document: DocumentNode) -> str:
    return print_ast(visit(document, _Tamer()))


def seed_of(*parts: object) -> int:
    """The same number for the same parts, on every machine."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4])
