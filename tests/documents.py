"""Random GraphQL documents that are valid on a schema, with values drawn from a dataset."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    get_named_type,
    is_required_argument,
)

from schema.aside_types import ASIDES

Composite = GraphQLObjectType | GraphQLInterfaceType
#: Endings of the types that are no nodes.
RECORDS = (
    *(
        "PartialDate",
        "PageInfo",
        "Claim",
        "TextPiece",
        "Translation",
        "Aggregates",
        "Group",
        "GroupKey",
    ),
    *("Completeness", "DistinctCounts", "Numbers", "Extremes"),
)
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
        free = name in SKIPPED or kind.name.endswith(RECORDS)
        if composite and depth <= 0 and not free:
            return ""
        drawn = {key: self._argument(key, argument) for key, argument in field.args.items()}
        if drawn.get("first") is not None:
            drawn.pop("last", None)
        arguments = [f"{key}: {value}" for key, value in drawn.items() if value is not None]
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

    def _argument(self, name: str, argument: GraphQLArgument) -> str | None:
        kind = get_named_type(argument.type)
        if name == "id":
            return self._identifier()
        if name == "ids":
            count = self.random.randint(0, 4)
            return f"[{', '.join(self._identifier() for _ in range(count))}]"
        if name == "asOf" and (is_required_argument(argument) or self.random.random() < 0.3):
            return self._day()
        if isinstance(kind, GraphQLInputObjectType) and name == "by":
            return self._keys(kind, self.random.randint(1, 2)) or "[{id: VALUE}]"
        if name == "text":
            return json.dumps(self._words())
        if self.random.random() < 0.5:
            return None
        if name == "types":
            assert isinstance(kind, GraphQLEnumType)
            return f"[{self.random.choice(sorted(kind.values))}]"
        if name == "offset":
            return self.random.choice((None, None, "0", "1", "3"))
        if name in ("first", "last"):
            return str(self.random.randint(0, 6))
        if name == "lang":
            return self._languages()
        if name == "contested":
            return self.random.choice(("true", "false"))
        if name == "fields":
            return self.random.choice(('["name"]', '["title", "acronym"]', "[]"))
        if isinstance(kind, GraphQLInputObjectType) and name in ("where", "having"):
            return self._where(kind, 2)
        if isinstance(kind, GraphQLInputObjectType) and name == "orderBy":
            return self._keys(kind, self.random.randint(0, 3)) or "[]"
        return None

    def _keys(self, kind: GraphQLInputObjectType, count: int) -> str | None:
        """Return keys of an order or of groups; a single one without brackets."""
        keys = [self._key(kind, 3) for _ in range(count)]
        found = [key for key in keys if key is not None]
        return found[0] if len(found) == 1 else f"[{', '.join(found)}]" if found else None

    def _words(self) -> str:
        """Return what to search for: part of a text, at times with a letter missing."""
        text = self.random.choice([t for t in self.texts if sum(map(str.isalnum, t[:40])) > 3])
        start = " ".join(text[: self.random.choice((3, 8, 40, 40))].split()[:16])
        text = start if any(map(str.isalnum, start)) else text[:40]
        at = self.random.randrange(len(text))
        typo = text[:at] + text[at + 1 :]
        return typo if self.random.random() < 0.3 and any(map(str.isalnum, typo)) else text

    # --- inputs -----------------------------------------------------------------------------

    def _where(self, kind: GraphQLInputObjectType, depth: int) -> str:
        count = self.random.choice((1, 1, 1, 2))
        names = self.random.sample(sorted(kind.fields), min(count, len(kind.fields)))
        found = [f"{name}: {self._condition(name, kind, depth)}" for name in names]
        return f"{{{', '.join(found)}}}"

    def _condition(self, name: str, kind: GraphQLInputObjectType, depth: int) -> str:
        declared = kind.fields[name].type
        if name == "contested":
            return self.random.choice(("[]", '["name"]')) if "name" in kind.fields else "[]"
        if name == "lang":
            return self._languages()
        if isinstance(declared, GraphQLList):
            inner = get_named_type(declared)
            count = self.random.randint(0, 3)
            return f"[{', '.join(self._value(inner, depth) for _ in range(count))}]"
        return self._value(get_named_type(declared), depth)

    def _value(self, kind: object, depth: int) -> str:
        if isinstance(kind, GraphQLEnumType):
            return str(self.random.choice(sorted(kind.values)))
        if isinstance(kind, GraphQLInputObjectType):
            if depth < -3:
                ends = {"id": '{id: {eq: "urn:x:none"}}', "isNull": "{isNull: false}"}
                return next((end for name, end in ends.items() if name in kind.fields), "{}")
            return self._where(kind, depth - 1)
        assert isinstance(kind, GraphQLScalarType)
        drawn: dict[str, Callable[[], str]] = {
            "ID": self._identifier,
            "String": self._text,
            "Int": lambda: str(self.random.choice((0, 1, 2, 3, 10, 12, 2011))),
            "Float": lambda: str(self.random.choice((10, 500.0, 0.5))),
            "Boolean": lambda: self.random.choice(("true", "false")),
            "URI": lambda: self.random.choice((self._text(), '"https"', self._identifier())),
        }
        return drawn.get(kind.name, self._day)()

    def _key(self, kind: GraphQLInputObjectType, depth: int) -> str | None:
        """Return one key; None where it would lead too far."""
        if depth < 0:
            return None
        name = self.random.choice(sorted(kind.fields))
        below = get_named_type(kind.fields[name].type)
        if isinstance(below, GraphQLEnumType):
            return f"{{{name}: {self.random.choice(sorted(below.values))}}}"
        assert isinstance(below, GraphQLInputObjectType)
        inner = self._key(below, depth - 1)
        return None if inner is None else f"{{{name}: {inner}}}"

    def _identifier(self) -> str:
        return f'"{self.random.choice(self.identifiers)}"'

    def _text(self) -> str:
        text = self.random.choice(self.texts)
        if self.random.random() < 0.5:
            start = self.random.randrange(len(text) or 1)
            text = text[start : start + self.random.randint(1, 5)].upper()
        return f'"{text}"'

    def _day(self) -> str:
        return self.random.choice(('"2020-12-01"', '"2011-01-01"', '"2019-06-30"'))

    def _languages(self) -> str:
        return self.random.choice(('["fr"]', '["de", "fr"]', "[]", '"en"', '"FR"'))
