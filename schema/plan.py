"""The plan: one GraphQL operation, compiled, as a tree of frozen nodes.

Floor 4. A plan names classes and predicates of the model and knows nothing of a snapshot, so that
other executors can stand beside the one that exists. Arguments stay values or variables until a
request binds them: `slot` is where a step finds what was bound for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graph.model import FieldKind


@dataclass(frozen=True, slots=True)
class Variable:
    """A value that a request gives."""

    name: str


#: A constant (str, int, float, bool, None, tuple, dict) or a `Variable`, nested at will.
Value = Any
Arguments = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Path:
    """One predicate, followed forward or backwards; `many` as the model has it."""

    predicate: str
    inverse: bool
    many: bool


@dataclass(frozen=True, slots=True)
class TypeName:
    """`__typename`: known, or to be seen on the node when `value` is None."""

    key: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Identity:
    """`id`: the node's IRI."""

    key: str


@dataclass(frozen=True, slots=True)
class Types:
    """`types`: the names of the classes that sources give the node."""

    key: str


@dataclass(frozen=True, slots=True)
class Scalar:
    """Literal values of one datatype, enum values, or links out of the dataset."""

    key: str
    path: Path
    kind: FieldKind
    datatype: str | None
    enum_name: str | None


@dataclass(frozen=True, slots=True)
class Text:
    """Language-tagged text: the best one, or a list; `paths` by class for `label`."""

    key: str
    paths: Mapping[str, str]
    unique: bool
    arguments: Arguments
    slot: int


@dataclass(frozen=True, slots=True)
class Date:
    """A date in three parts; `record` holds response key and part."""

    key: str
    parts: Mapping[str, str]
    record: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Link:
    """One node."""

    key: str
    path: Path
    required: bool
    selection: Selection


@dataclass(frozen=True, slots=True)
class Part:
    """One entry of a page, edge, page info, claim or group: response key, name, what is below.

    `slot` is where a binding stands for it, if it has one.
    """

    key: str
    name: str
    selection: Selection | None = None
    parts: tuple[Part, ...] = ()
    arguments: Arguments = field(default_factory=dict)
    slot: int = -1


@dataclass(frozen=True, slots=True)
class Connection:
    """A page of nodes: of a path, or, where `path` is None, of all instances of the class.

    `counted` tells that somebody asks how many there are, or whether some stand before the page.
    The rest is what rewriting makes of the arguments: `where` in its simplest form, of that what
    an index may look up (`seek`); whether the list stands `ordered` as asked for, whether nodes
    are `shown`, and whether one looks `ahead` for more behind them.
    """

    key: str
    path: Path | None
    class_iri: str
    arguments: Arguments
    slot: int
    parts: tuple[Part, ...]
    counted: bool
    where: Value = None
    seek: Value = None
    ordered: bool = False
    shown: bool = True
    ahead: bool = True


@dataclass(frozen=True, slots=True)
class Search:
    """The root field `search`: a page of hits."""

    key: str
    arguments: Arguments
    slot: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Records:
    """What is told of a node: its claims, its translations, its completeness (the one record)."""

    key: str
    name: str
    arguments: Arguments
    slot: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Certainty:
    """Whether a node of a class is certainly or possibly valid on a day."""

    key: str
    class_iri: str
    arguments: Arguments
    slot: int


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources that state something of the node."""

    key: str
    selection: Selection


@dataclass(frozen=True, slots=True)
class Lookup:
    """A root field: one node by its identifier, of a class or, where None, of any.

    Where `many`, it asks for the nodes of several identifiers, in their order.
    """

    key: str
    class_iri: str | None
    arguments: Arguments
    slot: int
    selection: Selection
    many: bool = False


@dataclass(frozen=True, slots=True)
class Revision:
    """The root field `revision`."""

    key: str


Step = (
    TypeName
    | Identity
    | Types
    | Scalar
    | Text
    | Date
    | Link
    | Connection
    | Search
    | Records
    | Certainty
    | Sources
    | Lookup
    | Revision
)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked of a node: the same of every object type, or apart in `branches`.

    `class_iri` is the static class (None: any node). Where `branches` is not empty, the object
    type of the node decides, and `steps` serves the types that no branch names.
    """

    number: int
    class_iri: str | None
    steps: tuple[Step, ...]
    branches: tuple[tuple[str, tuple[Step, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """One operation: its root steps, how many slots it binds, and its introspection, if any."""

    steps: tuple[Step, ...]
    slots: int
    introspects: bool


def fix(value: Any) -> Value:
    """Return what a variable holds as a constant of a plan: lists become tuples."""
    if isinstance(value, Mapping):
        return {name: fix(below) for name, below in value.items()}
    return tuple(map(fix, value)) if isinstance(value, list | tuple) else value


def children(step: Step) -> Iterator[tuple[str, Selection]]:
    """Yield the selections below a step, each with the name of its place."""
    if isinstance(step, Link | Sources | Lookup):
        yield step.key, step.selection
    elif isinstance(step, Connection | Search | Records):
        yield from _below(step.parts)


def _below(parts: tuple[Part, ...]) -> Iterator[tuple[str, Selection]]:
    for part in parts:
        if part.selection is not None:
            yield part.key, part.selection
        yield from _below(part.parts)


def all_steps(selection: Selection) -> Iterator[Step]:
    """Yield the steps of a selection, those of its branches included."""
    yield from selection.steps
    for _, steps in selection.branches:
        yield from steps


def has_measures(step: Connection) -> bool:
    """Tell whether a connection is asked what all that fit are as a whole."""
    return any(part.name in ("aggregates", "groups", "groupCount") for part in step.parts)
