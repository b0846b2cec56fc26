"""GraphQL types for being told of changes: a notice and a subscription for each class.

Floor 4. Only what can be asked is here; what makes a notice is `schema/notices.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from graph.model import ClassShape, Model

if TYPE_CHECKING:
    from schema.making import Arguments, Maker

#: The subscription to changes of any class.
ANY: Final = "changed"
ENTITY: Final = "Entity"


class NoticeKind(StrEnum):
    """What became of an entity, among those that a subscription watches."""

    CREATED = "CREATED"
    ENTERED = "ENTERED"
    UPDATED = "UPDATED"
    LEFT = "LEFT"
    DELETED = "DELETED"


_ABOUT: Final = {
    "kind": "NoticeKind",
    "id": "ID",
    "fields": "List[str]",
    "revision": "int",
    "since": "int",
    "resume": "int",
    "time": "DateTime",
    "commits": "List[NoticeCommit]",
}
_SINCE: Final = (
    "The revision that is known already: what changed after it is told first. Give `resume` of the "
    "last notice to go on after a break, or `revision` of a query to begin where it was read."
)
_CHOICE: Final[Arguments] = {
    "ids": ("Optional[List[ID]]", "Only these entities."),
    "kinds": ("Optional[List[NoticeKind]]", "Only what became this of them."),
    "fields": (
        "Optional[List[str]]",
        "Of what is updated, only where one of these fields differs.",
    ),
    "sinceRevision": ("Optional[int]", _SINCE),
}


def watched_classes(model: Model) -> Iterator[ClassShape]:
    """Yield the classes that have a subscription: those that can be asked for."""
    return (shape for shape in model.classes.values() if shape.exposure == "public")


def subscription_name(shape: ClassShape) -> str:
    """Return the name of a class's subscription."""
    return f"{shape.field_name}Changed"


def notice_name(name: str) -> str:
    """Return the name of the type of notices of a class, or of any entity."""
    return f"{name}Notice"


def make_subscription(maker: Maker, model: Model) -> type:
    """Make the types of notices and return the root."""
    kinds = {kind.name: kind.value for kind in NoticeKind}
    maker.enum(
        "NoticeKind",
        kinds,
        "CREATED: nobody stated it before; ENTERED: it was there, and fits now; UPDATED: a field "
        "answers otherwise; LEFT: it is there still, and fits no longer; DELETED: nobody states it "
        "any more.",
    )
    maker.make(
        "NoticeCommit",
        {
            "revision": "int",
            "time": "DateTime",
            "agent": "str",
            "activity": "str",
            "message": "str",
            "source": "Optional[ID]",
        },
        "A commit between two versions: who made it, how, and why.",
    )
    maker.make(
        "Notice",
        _ABOUT,
        "What became of one entity between the versions `since` and `revision`, each field as its "
        "readers see it. More than one revision lies between where a reader was slow, or was away: "
        "then these are told as one. `fields` names the fields that answer otherwise; `commits` "
        "needs the scope CHANGES.",
        interface=True,
    )
    fields: dict[str, Any] = {
        ANY: _subscription(
            maker,
            ENTITY,
            "What becomes of entities of any class.",
            {"types": ("Optional[List[str]]", "Only entities of these classes.")},
        )
    }
    for shape in watched_classes(model):
        where = {"where": (f"Optional[{shape.name}Where]", "Only those that fit, or did.")}
        text = f"What becomes of entities of class {shape.name}."
        fields[subscription_name(shape)] = _subscription(maker, shape.name, text, where)
    return maker.make(
        "Subscription", fields, "What can be watched: over WebSocket, or as server-sent events."
    )


def _subscription(maker: Maker, name: str, text: str, narrowed: Arguments) -> Any:
    """Make the notices of one class, and return the field that gives them."""
    versions = {"node": f"Optional[{name}]", "previous": f"Optional[{name}]"}
    maker.make(
        notice_name(name),
        {**_ABOUT, **versions},
        f"What became of one {name}: `node` as of `revision`, `previous` as of `since`; null where "
        f"it was none.",
        ["Notice"],
    )
    return maker.field(notice_name(name), text, narrowed | _CHOICE)
