"""GraphQL types for writing, from the model: an input and three mutations for each class.

Floor 4. One input serves create and update, since what must be given depends on what other
sources state: the shapes say it, and the answer tells. Only what an input may give is here; what
is done with it is `schema/mutation.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from graph.curation.editing import EVIDENCE, SOURCE, Action, writable_fields
from graph.model import ClassShape, Field, FieldKind, Model
from schema.naming import PYTHON, deprecated_fields, scalar_of

if TYPE_CHECKING:
    from schema.making import Arguments, Maker

_OPTIONS: Final[Arguments] = {
    "message": ("Optional[str]", "Why; kept with the change."),
    "dryRun": ("Optional[bool]", "Check and change nothing; `entity` is then as it stands."),
    "ifRevision": ("Optional[int]", "Refuse when a written entity changed since this revision."),
    "idempotencyKey": ("Optional[str]", "A repeat with this key gets the first answer."),
}
_SOURCE: Final[Arguments] = {"source": ("SourceChoice", "Whose statements these are.")}
_OUTCOME: Final = {
    "accepted": "bool",
    "revision": "int",
    "repeated": "bool",
    "violations": "List[Violation]",
    "warnings": "List[Violation]",
}


def writable_classes(model: Model) -> Iterator[ClassShape]:
    """Yield the classes of which things can be created: public, concrete, and not computed."""
    for shape in model.classes.values():
        if shape.exposure == "public" and not shape.abstract and not shape.computed:
            yield shape


def mutation_names(model: Model) -> dict[str, tuple[Action, ClassShape]]:
    """Return what each mutation of a class does, by its name."""
    return {
        f"{action}{shape.name}": (action, shape)
        for shape in writable_classes(model)
        for action in Action
        if shape.iri != SOURCE or action is not Action.CREATE  # `source` begins one
    }


def input_name(shape: ClassShape) -> str:
    """Return the name of a class's input."""
    return f"{shape.name}Input"


def make_mutation(maker: Maker, model: Model) -> type:
    """Make the types for writing and return the root."""
    _make_shared(maker, model)
    fields: dict[str, Any] = {}
    for shape in writable_classes(model):
        maker.input(
            input_name(shape),
            _input_fields(model, shape),
            shape.comments["en"],
            deprecated=deprecated_fields(model, shape.iri),
        )
        payload = {**_OUTCOME, "id": "Optional[ID]", "entity": f"Optional[{shape.name}]"}
        text = f"What came of writing a {shape.name}."
        maker.make(f"{shape.name}Payload", payload, text, ["MutationPayload"])
    for name, (action, shape) in mutation_names(model).items():
        fields[name] = _mutation(maker, action, shape)
    fields["write"] = maker.field(
        "Optional[WritePayload]",
        "Several acts as one change of one source: all or none.",
        _SOURCE | {"writes": ("List[WriteInput]", "The acts, in order.")} | _OPTIONS,
    )
    return maker.make("Mutation", fields, "What can be written, with a token that may.")


def _mutation(maker: Maker, action: Action, shape: ClassShape) -> Any:
    given = {"input": (input_name(shape), "What the source states.")}
    known = {"id": ("ID", "The identifier: its IRI.")}
    payload = f"Optional[{shape.name}Payload]"
    if action is Action.CREATE:
        text = f"Create one {shape.name}. Without `id` its IRI follows from what is given."
        new = {"id": ("Optional[ID]", "Its IRI.")}
        return maker.field(payload, text, _SOURCE | given | new | _OPTIONS, shape.deprecated)
    if action is Action.UPDATE:
        text = (
            f"State fields of one {shape.name}: each given field replaces what this source stated "
            "of it, null takes it back, others stay."
        )
        return maker.field(payload, text, _SOURCE | known | given | _OPTIONS, shape.deprecated)
    text = f"Take back what a source states of a {shape.name}."
    return maker.field(
        "Optional[DeletePayload]", text, _SOURCE | known | _OPTIONS, shape.deprecated
    )


def _make_shared(maker: Maker, model: Model) -> None:
    maker.input(
        "TextInput",
        {"text": ("str", "The text."), "lang": ("str", "Its language, a tag such as en.")},
        "A text in a language.",
        required=("text", "lang"),
    )
    maker.input(
        "EvidenceLink",
        {
            "id": ("ID", "Evidence that is there; then nothing else."),
            "locator": ("str", "Where in the source."),
            "quote": ("str", "A short quote."),
            "source": ("ID", "The source it is found in: that of the mutation if not given."),
        },
        "Evidence: its identifier, or what it is.",
    )
    maker.input(
        "SourceChoice",
        {
            "id": ("ID", "Its IRI."),
            "create": (input_name(model.classes[SOURCE]), "Describes it, if it is new."),
        },
        "The source that states what is written: one of your own.",
        required=("id",),
    )
    maker.enum("WriteAction", {action.name: action.value for action in Action}, "An act.")
    acts: Arguments = {
        "action": ("WriteAction", "What is done."),
        "id": ("ID", "The IRI of the entity."),
    }
    for shape in writable_classes(model):
        acts[shape.field_name] = (input_name(shape), f"What is stated of a {shape.name}.")
    maker.input(
        "WriteInput",
        acts,
        "One act: the action, the identifier, and the input of one class (for DELETE none).",
        required=("action",),
    )
    _make_payloads(maker)


def _make_payloads(maker: Maker) -> None:
    optional = "Optional[str]"
    maker.make(
        "Violation",
        {
            "inputPath": "List[str]",
            "message": "str",
            "severity": "str",
            "constraint": "str",
            "field": optional,
            "focusNode": optional,
            "property": "Optional[URI]",
            "value": optional,
            "source": "Optional[ID]",
        },
        "Something wrong with what was given (severity Violation), or worth a look (Warning). "
        "`inputPath` leads to the input; it is empty where something else is concerned.",
    )
    maker.make(
        "MutationPayload",
        _OUTCOME,
        "What came of a mutation. Where it was not accepted nothing changed, and `violations` say "
        "why; `revision` is the one that holds the change, or stands.",
        interface=True,
    )
    still = maker.field("List[Source]", "The sources that still state something of it.")
    deleted = {**_OUTCOME, "id": "Optional[ID]", "statedBy": still}
    maker.make("DeletePayload", deleted, "What came of a deletion.", ["MutationPayload"])
    maker.make(
        "WriteItem",
        {"action": "WriteAction", "id": "Optional[ID]", "entity": "Optional[Entity]"},
        "What came of one act.",
    )
    written = {**_OUTCOME, "items": "List[WriteItem]"}
    maker.make("WritePayload", written, "What came of several acts.", ["MutationPayload"])


def _input_fields(model: Model, shape: ClassShape) -> Arguments:
    fields: Arguments = {}
    for name, field in writable_fields(model, shape.iri).items():
        text = field.comments["en"]
        if field.required and not field.inverse:
            text = f"{text} Some source must state it."
        fields[name] = (_annotation(model, field), text)
    return fields


def _annotation(model: Model, field: Field) -> str:
    if field.kind is FieldKind.ENTITY:
        assert field.target is not None
        if field.inverse:
            return f"List[{input_name(model.classes[field.target])}]"
        if field.target == EVIDENCE:
            return "List[EvidenceLink]"
        return "List[ID]" if field.many else "ID"
    if field.kind is FieldKind.TEXT:
        return "List[TextInput]"
    if field.kind is FieldKind.DATE:
        return "str"
    scalar = scalar_of(field)
    python = PYTHON.get(scalar, scalar)
    return f"List[{python}]" if field.many else python
