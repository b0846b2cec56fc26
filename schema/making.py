"""Makes single GraphQL types with Strawberry in a name space of their own.

Floor 4. Annotations are texts that Strawberry resolves in the name space, so types may refer to
each other in any order. What the types of a model are is said in `schema/types.py` and
`schema/inputs.py`; here is only how one is made.
"""

from __future__ import annotations

import enum
import inspect
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final, NewType

import strawberry
from strawberry.types.unset import UNSET

from schema.sdl import read_text

MODULE: Final = "schema.generated"
NOTHING: Final[Mapping[str, str]] = types.MappingProxyType({})
#: Arguments of a field, or fields of an input: name, annotation and description.
Arguments = dict[str, tuple[str, str]]


class Maker:
    """Makes types in a fresh module; `names` is its name space, `scalars` Strawberry's map."""

    def __init__(self) -> None:
        module = types.ModuleType(MODULE)
        sys.modules[MODULE] = module
        self.names: dict[str, Any] = vars(module)
        self.names.update(
            Optional=typing.Optional, List=list, ID=strawberry.ID, strawberry=strawberry
        )
        self.scalars: dict[object, Any] = {}
        self.objects: list[type] = []
        self.one_of: set[str] = set()

    def scalar(self, name: str, text: str) -> None:
        """Make a scalar that a client sends and gets as text."""
        kind = NewType(name, str)  # type: ignore[misc]
        self.names[name] = kind
        self.scalars[kind] = strawberry.scalar(
            name=name, description=text, serialize=str, parse_value=partial(read_text, name)
        )

    def enum(self, name: str, values: Mapping[str, str], text: str | None = None) -> None:
        """Make an enum; `values` gives what each name stands for."""
        made = enum.Enum(name, dict(values), module=MODULE)  # type: ignore[misc]
        self.names[name] = strawberry.enum(made, name=name, description=text)

    def field(
        self,
        returns: str,
        text: str = "",
        arguments: Arguments | None = None,
        deprecated: str | None = None,
    ) -> Any:
        """Return a field with arguments, whose answer the plan gives."""

        def planned(self: Any, **_: Any) -> Any:
            raise NotImplementedError("reads are executed by plans")

        parameters = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
        annotations: dict[str, Any] = {"return": returns}
        for name, (annotation, _told) in (arguments or {}).items():
            parameters.append(
                inspect.Parameter(
                    name,
                    inspect.Parameter.KEYWORD_ONLY,
                    annotation=annotation,
                    default=UNSET if annotation.startswith("Optional") else inspect._empty,
                )
            )
            annotations[name] = annotation
        planned.__signature__ = inspect.Signature(parameters, return_annotation=returns)  # type: ignore[attr-defined]
        planned.__annotations__ = annotations
        planned.__module__ = MODULE
        made = strawberry.field(
            resolver=planned, description=text or None, deprecation_reason=deprecated
        )
        for argument in made.arguments:
            argument.description = (arguments or {})[argument.python_name][1]
        return made

    def make(
        self,
        name: str,
        fields: Mapping[str, Any],
        text: str,
        bases: Iterable[str] = (),
        *,
        interface: bool = False,
    ) -> type:
        """Make an object type or interface; plain strings are annotations without arguments."""
        made = types.new_class(name, tuple(self.names[base] for base in bases))
        made.__module__ = MODULE
        made.__annotations__ = {k: v for k, v in fields.items() if isinstance(v, str)}
        for key, value in fields.items():
            if not isinstance(value, str):
                setattr(made, key, value)
        kind = strawberry.interface if interface else strawberry.type
        self.names[name] = kind(made, name=name, description=text)
        return self.names[name]  # type: ignore[no-any-return]

    def input(
        self,
        name: str,
        fields: Arguments,
        text: str,
        *,
        one_of: bool = False,
        required: Iterable[str] = (),
        deprecated: Mapping[str, str] = NOTHING,
    ) -> None:
        """Make an input whose fields may be left out but the required, or of which one is given.

        `deprecated` says of fields why they should no longer be used.
        """
        made = types.new_class(name)
        made.__module__ = MODULE
        # A field may be called `from`, which no Python name can be.
        made.__annotations__ = {
            f"{key}_": kind if key in required else f"Optional[{kind}]"
            for key, (kind, _) in fields.items()
        }
        for key, (_, told) in fields.items():
            default = {} if key in required else {"default": UNSET}
            described = strawberry.field(
                name=key,
                description=told or None,
                deprecation_reason=deprecated.get(key),
                **default,
            )
            setattr(made, f"{key}_", described)
        self.names[name] = strawberry.input(made, name=name, description=text, one_of=one_of)
        if one_of:
            self.one_of.add(name)
