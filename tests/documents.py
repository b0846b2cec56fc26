"""Random GraphQL documents that are valid on a schema, with values drawn from a dataset."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
)

from schema.aside_types import ASIDES

Composite = GraphQLObjectType | GraphQLInterfaceType
SKIPPED = frozenset({"edges", "node", "nodes", "pageInfo"})


class Documents:
    """Draws documents; `identifiers` and `texts` are values that occur in the dataset."""

    def __init__(
        self, schema: GraphQLSchema, seed: int, identifiers: Sequence[str], texts: Sequence[str]
    ) -> None:
        self.schema = schema
        self.random = random.Random(seed)
        self.identifiers = identifiers
        self.texts = texts

    def draw(self) -> str:
        """Return a document of one to three root fields."""
        assert self.schema.query_type is not None
        count = self.random.randint(1, 3)
        return f"{{ {self._fields(self.schema.query_type, 3, count)} }}"

    def draw_search(self) -> str:
        """Return a document whose root field is `search`."""
        assert self.schema.query_type is not None
        return f"{{ {self._field('search', self.schema.query_type.fields['search'], 3, 0)} }}"

    def _fields(self, kind: Composite, depth: int, count: int) -> str:
        known = sorted(kind.fields.keys() - ASIDES)  # no plan answers those
        names = self.random.sample(known, min(count, len(known)))
        parts = [self._field(name, kind.fields[name], depth, at) for at, name in enumerate(names)]
        found = [part for part in parts if part]
        if self.random.random() < 0.3 or not found:
            found.append("__typename")
        if isinstance(kind, GraphQLInterfaceType) and self.random.random() < 0.5 and depth > 0:
            possible = sorted(t.name for t in self.schema.get_possible_types(kind))
            chosen = self.schema.type_map[self.random.choice(possible)]
            assert isinstance(chosen, GraphQLObjectType)
            found.append(f"... on {chosen.name} {{ {self._fields(chosen, depth - 1, 2)} }}")
        return " ".join(found)

    def _field(self, name: str, field: GraphQLField, depth: int, at: int) -> str:
        kind = get_named_type(field.type)
        composite = isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
        free = name in SKIPPED or kind.name in ("PartialDate", "PageInfo", "Claim", "TextPiece")
        if composite and depth <= 0 and not free:
            return ""
        arguments = [
            f"{key}: {value}"
            for key, argument in field.args.items()
            if (value := self._argument(key, get_named_type(argument.type))) is not None
        ]
        text = f"a{at}: {name}" if self.random.random() < 0.2 else name
        if arguments:
            text += f"({', '.join(arguments)})"
        elif "id" in field.args:
            return ""
        if not composite:
            return text
        assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
        below = self._fields(kind, depth if free else depth - 1, self.random.randint(1, 5))
        return f"{text} {{ {below} }}"

    def _argument(self, name: str, kind: object) -> str | None:
        if name == "id":
            return f'"{self.random.choice(self.identifiers)}"'
        if name == "text":
            return json.dumps(self._words())
        if self.random.random() < 0.5:
            return None
        if name == "types":
            assert isinstance(kind, GraphQLEnumType)
            return f"[{self.random.choice(sorted(kind.values))}]"
        if name == "first":
            return str(self.random.randint(0, 6))
        if name == "lang":
            return self.random.choice(('["fr"]', '["de", "fr"]', "[]", '"en"'))
        if name == "contested":
            return self.random.choice(("true", "false"))
        if isinstance(kind, GraphQLInputObjectType) and name == "where":
            return self._where(kind, 2)
        return None

    def _words(self) -> str:
        """Return what to search for: part of a text, at times with a letter missing."""
        text = self.random.choice([t for t in self.texts if sum(map(str.isalnum, t[:40])) > 3])
        start = " ".join(text[: self.random.choice((3, 8, 40, 40))].split()[:16])
        text = start if any(map(str.isalnum, start)) else text[:40]
        at = self.random.randrange(len(text))
        typo = text[:at] + text[at + 1 :]
        return typo if self.random.random() < 0.3 and any(map(str.isalnum, typo)) else text

    def _where(self, kind: GraphQLInputObjectType, depth: int) -> str:
        name = self.random.choice(sorted(kind.fields))
        below = get_named_type(kind.fields[name].type)
        if isinstance(below, GraphQLEnumType):
            return f"{{{name}: {self.random.choice(sorted(below.values))}}}"
        if isinstance(below, GraphQLInputObjectType):
            if depth < -3:
                return '{id: {eq: "urn:x:none"}}'
            inner = self._where(below, depth - 1)
            return f"{{{name}: {inner}}}"
        value = {
            "ID": f'"{self.random.choice(self.identifiers)}"',
            "String": f'"{self.random.choice(self.texts)}"',
            "Int": str(self.random.choice((2, 3, 10, 12, 2011))),
            "Float": str(self.random.choice((10, 500.0, 0.5))),
            "Boolean": self.random.choice(("true", "false")),
        }.get(below.name, '"2020-12-01"')
        return f"{{{name}: {value}}}"
