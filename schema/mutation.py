"""Executes mutations: arguments -> acts on entities -> one commit a field -> payload.

Floor 4. graphql-core executes the operation, field after field as the specification asks; the
entity of a payload is read by a plan, as any query reads it, on the version that holds the change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from graphql import ExecutionResult, FieldNode, GraphQLResolveInfo, execute
from graphql.execution.executor import Executor

from graph.curation.draft import Located, Place
from graph.curation.editing import Action, Write, writable_fields
from graph.curation.messages import DEFAULT_LANGUAGE
from graph.curation.mutations import Mutation, Mutations, Outcome
from graph.errors import BadValueError
from graph.model import Field, FieldKind, Model
from graph.store.allowance import begin_answer
from graph.store.snapshot import Snapshot
from schema.execute import Answer, Engine, PreparedMutation, execution_error
from schema.lookups import Spent, read_entity
from schema.mutation_types import mutation_names, writable_classes
from schema.naming import enum_value_name

_LANGUAGES: Final = (DEFAULT_LANGUAGE, "fr")
_ANY: Final = "node"
_SOURCE: Final = "source"


@dataclass(frozen=True, slots=True)
class _Finished:
    """Data that a plan has made: nothing of it is left to complete."""

    data: Any


class _Completing(Executor[None]):
    """graphql-core's executor, which takes finished data as it is."""

    def complete_value(
        self,
        return_type: Any,
        field_details_list: Any,
        info: GraphQLResolveInfo[Any],
        path: Any,
        result: Any,
        position_context: Any,
    ) -> Any:
        if isinstance(result, _Finished):
            return result.data
        return super().complete_value(
            return_type, field_details_list, info, path, result, position_context
        )


class Writer:
    """Runs mutations for one engine. Safe to use from several threads."""

    def __init__(self, engine: Engine, mutations: Mutations) -> None:
        self.engine = engine
        self.mutations = mutations
        self.model = mutations.model
        self._names = mutation_names(self.model)
        self._classes = {shape.field_name: shape for shape in writable_classes(self.model)}

    def run(self, prepared: PreparedMutation) -> Answer:
        """Return the answer to a mutation; each root field is a change of its own."""
        begin_answer(self.engine.settings.graphql_answer_bytes)  # of all payloads together
        run = _Run(self, prepared)
        result = execute(
            self.engine.schema,
            prepared.document,
            variable_values=dict(prepared.request.variables or {}),
            operation_name=prepared.request.operation or None,
            field_resolver=run.resolve,
            executor_class=_Completing,
        )
        assert isinstance(result, ExecutionResult)
        errors = tuple(map(execution_error, result.errors or ()))
        return Answer(result.data, errors, revision=run.revision)

    def read_writes(self, name: str, arguments: Mapping[str, Any]) -> tuple[Write, ...]:
        """Return the acts that a mutation's arguments ask for.

        Raises
        ------
        BadValueError
            An act of a batch names no class, or several, or lacks its identifier.
        """
        if name == "write":
            writes = enumerate(arguments["writes"])
            return tuple(self._read_write(item, ("writes", str(i))) for i, item in writes)
        action, shape = self._names[name]
        given = arguments.get("input") or {}
        values = translate(self.model, shape.iri, given)
        return (Write(action, shape.iri, arguments.get("id"), values, ("input",)),)

    def _read_write(self, item: Mapping[str, Any], place: Place) -> Write:
        action = Action[item["action"]]
        named = [name for name in item if name in self._classes and item[name] is not None]
        where = ".".join(place)
        if len(named) != (0 if action is Action.DELETE else 1):
            wanted = "no class" if action is Action.DELETE else "the input of one class"
            raise BadValueError(where, ", ".join(named) or "none", wanted)
        if action is not Action.CREATE and item.get("id") is None:
            raise BadValueError(f"{where}.id", "null", "the identifier of an entity")
        if not named:
            return Write(action, None, item.get("id"), {}, place, (*place, "id"))
        shape = self._classes[named[0]]
        if f"{action}{shape.name}" not in self._names:
            raise BadValueError(where, shape.name, "a class: a source is begun by `source`")
        values = translate(self.model, shape.iri, item[named[0]])
        return Write(action, shape.iri, item.get("id"), values, (*place, named[0]), (*place, "id"))


class _Run:
    """One operation: resolves its fields and remembers the last revision that it made."""

    def __init__(self, writer: Writer, prepared: PreparedMutation) -> None:
        self.writer = writer
        self.prepared = prepared
        self.revision: int | None = None
        self.spent = Spent()

    def resolve(self, source: Any, info: GraphQLResolveInfo[Any], /, **arguments: Any) -> Any:
        if info.parent_type.name == "Mutation":
            return self._mutate(info.field_name, arguments)
        value = source[info.field_name]
        return value(info) if callable(value) else value

    def _mutate(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        writes = self.writer.read_writes(name, arguments)
        chosen = arguments["source"]
        begin = chosen.get("create")
        model = self.writer.model
        mutation = Mutation(
            source=chosen["id"],
            writes=writes,
            begin=None if begin is None else translate(model, _source_class(model), begin),
            message=arguments.get("message"),
            dry_run=bool(arguments.get("dryRun")),
            if_revision=arguments.get("ifRevision"),
            key=arguments.get("idempotencyKey"),
            language=_language(self.prepared.request.languages),
        )
        outcome = self.writer.mutations.run(mutation, self.prepared.viewer)
        if outcome.accepted and not mutation.dry_run:
            self.revision = max(self.revision or 0, outcome.revision)
        return self._payload(name, mutation, outcome)

    def _payload(self, name: str, mutation: Mutation, outcome: Outcome) -> Mapping[str, Any]:
        payload: dict[str, Any] = {
            "accepted": outcome.accepted,
            "revision": outcome.revision,
            "repeated": outcome.repeated,
            "violations": [_violation(each) for each in outcome.violations],
            "warnings": [_violation(each) for each in outcome.warnings],
        }
        is_done = outcome.accepted and not mutation.dry_run
        pairs = list(zip(mutation.writes, outcome.ids, strict=False))
        if name == "write":
            payload["items"] = [self._item(write, iri, is_done) for write, iri in pairs]
            return payload
        ((write, iri),) = pairs or ((mutation.writes[0], None),)
        payload["id"] = iri
        if write.action is Action.DELETE:
            payload["statedBy"] = partial(self._stated_by, iri)
        else:
            assert write.class_iri is not None
            root = self.writer.model.classes[write.class_iri].field_name
            payload["entity"] = partial(self._entity, root, iri if is_done else None)
        return payload

    def _item(self, write: Write, iri: str | None, is_done: bool) -> Mapping[str, Any]:
        is_there = is_done and write.action is not Action.DELETE
        entity = partial(self._entity, _ANY, iri if is_there else None)
        return {"action": write.action.name, "id": iri, "entity": entity}

    def _entity(self, root: str, iri: str | None, info: GraphQLResolveInfo[Any]) -> Any:
        """Return what is asked of an entity."""
        return None if iri is None else self._read(info.field_nodes, root, iri)

    def _stated_by(self, iri: str | None, info: GraphQLResolveInfo[Any]) -> list[Any]:
        """Return what is asked of each source that states something of an entity."""
        if iri is None:
            return []
        graphs = {quad[3] for quad in self._snapshot().quads_of(f"<{iri}>")}
        sources = sorted(graphs, key=self._snapshot().source_order)
        read = (self._read(info.field_nodes, _SOURCE, graph[1:-1]) for graph in sources)
        return [found for found in read if found.data is not None]

    def _read(self, nodes: Sequence[FieldNode], root: str, iri: str) -> _Finished:
        engine, snapshot = self.writer.engine, self._snapshot()
        data = read_entity(engine, self.prepared, nodes, root, iri, snapshot, self.spent)
        return _Finished(data)

    def _snapshot(self) -> Snapshot:
        dataset = self.writer.mutations.gate.dataset
        return dataset.snapshot_for(self.prepared.viewer)


def translate(model: Model, class_iri: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an input with the literals that its enum values stand for."""
    fields = writable_fields(model, class_iri)
    return {name: _translate(model, fields[name], value) for name, value in given.items()}


def _translate(model: Model, field: Field, value: Any) -> Any:
    if isinstance(value, list):
        return [_translate(model, field, item) for item in value]
    if value is None:
        return None
    if field.kind is FieldKind.ENUM and field.enum_name is not None:
        literals = {enum_value_name(each): each for each in model.enum_values[field.enum_name]}
        return literals[value]
    if field.inverse and field.target is not None:
        return translate(model, field.target, value)
    return value


def _source_class(model: Model) -> str:
    return model.by_name["Source"].iri


def _violation(located: Located) -> Mapping[str, Any]:
    violation = located.violation
    path = (violation.path or "").removeprefix("^")
    return {
        "inputPath": list(located.place),
        "message": violation.message,
        "severity": violation.severity,
        "constraint": violation.constraint,
        "field": located.field,
        "focusNode": _bare(violation.focus_node) or None,
        "property": _bare(path) or None,
        "value": violation.value,
        "source": violation.graph,
    }


def _bare(term: str) -> str:
    return term[1:-1] if term.startswith("<") else term


def _language(languages: Sequence[str]) -> str:
    """Return the language of messages: the first of those asked for that there is."""
    families = (language.split("-")[0] for language in languages)
    return next((family for family in families if family in _LANGUAGES), DEFAULT_LANGUAGE)
