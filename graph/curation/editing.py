"""Creates, updates and deletes of entities -> a draft of one source's statements.

Floor 2. What an input means is decided on one version of the dataset; only the graph of the named
source is written (DESIGN's rule 5). Nothing is validated here beyond what a quad cannot tell: who
exists, what names a relation, and what the input is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from graph.curation.draft import Draft, Place, ValueRefusedError, is_type
from graph.curation.naming import digest_of, find_relation, may_name, name_entity, name_relation
from graph.curation.view import View
from graph.model import ClassShape, Field, FieldKind, Model
from graph.store.snapshot import SYSTEM, Snapshot
from graph.terms import ENTITY, RDF, RZ, Quad, local_name, read_literal

SOURCE: Final = f"{RZ}Source"
EVIDENCE: Final = f"{RZ}Evidence"
#: Set by curators alone (DESIGN's rule 2), so that no input has it.
RANK: Final = f"{RZ}sourceRank"
_EVIDENCE_PATH: Final = f"<{RZ}evidence>"
_TYPE: Final = f"{RDF}type"
_REFERRERS_TOLD: Final = 5
#: Predicates that name a thing without a label path, in this order.
_NAMES: Final = ("acronym", "title", "name")

Values = Mapping[str, Any]


class Action(StrEnum):
    """What is done to one entity."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Write:
    """One act: values by the model's field names; `place` is where it stands in the input."""

    action: Action
    class_iri: str | None
    id: str | None
    values: Values
    place: Place = ()
    id_place: Place = ("id",)


def takes_relations(model: Model, field: Field) -> bool:
    """Tell whether relations can be created through an inverse field: its end names them."""
    target = model.classes.get(field.target or "")
    return (
        field.inverse and target is not None and target.relation and field.path in target.identity
    )


def writable_fields(model: Model, class_iri: str) -> dict[str, Field]:
    """Return the fields of a class that an input may give, by name."""
    return {
        name: field
        for name, field in model.fields[class_iri].items()
        if field.exposure == "public"
        and field.path != RANK
        and field.target not in model.computed
        and (not field.inverse or takes_relations(model, field))
    }


def count_acts(model: Model, class_iri: str, values: Values) -> int:
    """Return how many entities an input writes: one, and its nested relations and evidence."""
    fields = writable_fields(model, class_iri)
    total = 1
    for name, value in values.items():
        field = fields.get(name)
        if field is None or not (field.inverse or field.target == EVIDENCE):
            continue
        items = value if isinstance(value, list) else [value]
        target = field.target or ""
        total += sum(count_acts(model, target, each) for each in items if isinstance(each, dict))
    return total


class Editor:
    """Applies writes to one version, one after the other, into one draft."""

    def __init__(self, model: Model, snapshot: Snapshot, draft: Draft) -> None:
        self.model = model
        self.snapshot = snapshot
        self.draft = draft
        self.view = View(snapshot)
        self._deleted: list[tuple[str, Write]] = []

    def apply(self, write: Write) -> str | None:
        """Draft one act and return the entity's IRI, or None when the act cannot be taken."""
        if write.action is Action.CREATE:
            return self._create(write)
        iri = self._known(write)
        if iri is None:
            return None
        return (
            self._update(write, iri) if write.action is Action.UPDATE else self._delete(write, iri)
        )

    def finish(self) -> None:
        """Draft what follows from all acts: evidence that nothing rests on any more goes too."""
        gone = [quad for quad in self.draft.removed if quad[1] == _EVIDENCE_PATH]
        for evidence in dict.fromkeys(quad[2] for quad in gone):
            if not self._referrers(evidence):
                self.draft.withdraw(self._own(evidence))
        for iri, write in self._deleted:
            self._require_unreferred(iri, write)

    def identify(self, write: Write) -> str | None:
        """Return the IRI that an act is about, whether or not it was done already."""
        if write.id is not None or write.class_iri is None:
            return self._subject(write)[1:-1] or write.id
        shape = self.model.classes[write.class_iri]
        return self._name(shape, write.values, write.place)

    # --- acts -------------------------------------------------------------------------------

    def _create(self, write: Write) -> str | None:
        assert write.class_iri is not None
        shape = self.model.classes[write.class_iri]
        iri = self._name(shape, write.values, write.place)
        if iri is None:
            return None
        if write.id is not None:
            iri = self._given_name(write, shape, iri)
            if iri is None:
                return None
        subject = f"<{iri}>"
        if self._states(subject) or (not shape.relation and self._types(subject)):
            message = self.draft.say("existsAlready", iri=iri)
            self.draft.refuse(write.id_place, "unique", message, subject)
            return None
        self._begin(subject, shape.iri, write.place)
        self._write_fields(subject, shape, write.values, write.place)
        return iri

    def _given_name(self, write: Write, shape: ClassShape, named: str) -> str | None:
        """Return the IRI that an input gives a new thing, as it is kept, or note what is wrong."""
        try:
            iri = self.draft.iri(write.id)[1:-1]
        except ValueRefusedError as refused:
            message = refused.message
            self.draft.refuse(write.id_place, refused.constraint, message, value=write.id)
            return None
        if shape.relation and iri != named:
            message = self.draft.say("relationIri", kind=shape.name, iri=named)
            self.draft.refuse(write.id_place, "identity", message, value=write.id)
            return None
        if not may_name(iri, shape):
            self._refuse_name(write, shape)
            return None
        return iri

    def _refuse_name(self, write: Write, shape: ClassShape) -> None:
        fields = {"kind": shape.name, "base": ENTITY, "part": shape.id_kind}
        message = self.draft.say("newIri", iri=(write.id or "")[:200], **fields)
        self.draft.refuse(write.id_place, "nodeKind", message, value=write.id)

    def _update(self, write: Write, iri: str) -> str:
        subject = f"<{iri}>"
        shape = self.model.classes[write.class_iri or SOURCE]
        self._restate(subject, shape, write.place)
        if shape.relation:
            self._keep_identity(subject, shape, write)
        self._write_fields(subject, shape, write.values, write.place)
        return iri

    def _delete(self, write: Write, iri: str) -> str | None:
        subject = f"<{iri}>"
        own = self._own(subject)
        if not own:
            message = self.draft.say("notStated", iri=iri)
            self.draft.refuse(write.id_place, "exists", message, subject)
            return None
        self.draft.note(subject, write.id_place)
        self.draft.withdraw(own)
        self._deleted.append((iri, write))
        return iri

    def _require_unreferred(self, iri: str, write: Write) -> None:
        subject = f"<{iri}>"
        if self._types(subject):
            return
        found = dict.fromkeys(quad[0] for quad in self._referrers(subject) if quad[0] != subject)
        computed = self.model.computed  # what measures it goes with it, see `computed.py`
        referrers = [node for node in found if computed.isdisjoint(self._types(node))]
        if referrers:
            shown = ", ".join(term[1:-1] for term in referrers[:_REFERRERS_TOLD])
            message = self.draft.say("referred", iri=iri, referrers=shown)
            self.draft.refuse(write.id_place, "class", message, subject)

    # --- who it is about --------------------------------------------------------------------

    def _subject(self, write: Write) -> str:
        """Return the node that an act names, or an empty text where that is no IRI."""
        try:
            return self.draft.iri(write.id)
        except ValueRefusedError:
            return ""

    def _known(self, write: Write) -> str | None:
        """Return the IRI of an entity that is there and of the class, or note that it is not."""
        subject = self._subject(write)
        types = self._types(subject) if subject else set()
        wanted = write.class_iri
        if types and (wanted is None or any(self.model.is_a(each, wanted) for each in types)):
            return subject[1:-1]
        kind = "entity" if wanted is None else self.model.classes[wanted].name
        message = self.draft.say("noSuchEntity", kind=kind, iri=(write.id or "")[:200])
        self.draft.refuse(write.id_place, "exists", message, value=write.id)
        return None

    def _name(self, shape: ClassShape, values: Values, place: Place) -> str | None:
        """Return the IRI that follows from values, or None when they do not name a relation."""
        if shape.relation:
            return self._name_relation(shape, values, place)
        if shape.iri == EVIDENCE:
            return self._name_evidence(values)
        return name_entity(shape, self._names(shape, values), values)

    def _name_relation(self, shape: ClassShape, values: Values, place: Place) -> str | None:
        participants: list[str | None] = []
        before = len(self.draft.problems)
        for path in shape.identity:
            field = self._field_of(shape, path)
            term = self._participant(field, values.get(field.name), (*place, field.name))
            if term is None and field.required:
                message = self.draft.say("minCount", limit=1, actual=0)
                self.draft.refuse((*place, field.name), "minCount", message, field_=field)
            participants.append(term)
        if len(self.draft.problems) > before:
            return None
        known = find_relation(self.view, self.model, shape, participants)
        if known is not None:
            return known
        iri = name_relation(shape, participants)
        # of other participants with names alike
        if self.view.node(f"<{iri}>") or self._is_other(iri, shape, participants):
            return f"{iri}--{digest_of(participants)}"
        return iri

    def _is_other(self, iri: str, shape: ClassShape, participants: list[str | None]) -> bool:
        """Tell whether the draft has a relation of this IRI that ties others."""
        drafted = list(self.draft.added_of(f"<{iri}>"))
        for path, wanted in zip(shape.identity, participants, strict=True):
            values = {quad[2] for quad in drafted if quad[1] == f"<{path}>"}
            if drafted and (wanted not in values if wanted is not None else values):
                return True
        return False

    def _participant(self, field: Field, value: Any, place: Place) -> str | None:
        if value is None:
            return None
        try:
            return next(iter(self.draft.terms(field, value)))[1]
        except ValueRefusedError as refused:
            self._refuse(refused, place, "", field, value)
        return None

    def _field_of(self, shape: ClassShape, path: str) -> Field:
        fields = self.model.fields[shape.iri].values()
        return next(f for f in fields if not f.inverse and path in f.predicates)

    def _names(self, shape: ClassShape, values: Values) -> list[str]:
        """Return the texts that may give a thing its IRI, English before other languages."""
        fields = self.model.fields[shape.iri]
        labels = [self.model.classes[each].label_path for each in self.model.ancestors[shape.iri]]
        named = [f.name for f in fields.values() if not f.inverse and f.path in labels]
        found: list[str] = []
        for name in (*named, *_NAMES):
            value = values.get(name)
            items = value if isinstance(value, list) else [value]
            texts = [item for item in items if isinstance(item, dict) and "text" in item]
            texts.sort(key=lambda item: item.get("lang") != "en")
            found += [item["text"] for item in texts if isinstance(item["text"], str)]
            found += [item for item in items if isinstance(item, str)]
        return found

    def _name_evidence(self, values: Values) -> str:
        slug = local_name(self.draft.graph[1:-1])
        return f"{ENTITY}evidence/{slug}-{digest_of([self.draft.graph, dict(values)])}"

    # --- what stands ------------------------------------------------------------------------

    def _own(self, subject: str) -> list[Quad]:
        """Return what the source states of a node, the draft included."""
        graph, removed = self.draft.graph, self.draft.removed
        before = self.snapshot.quads_of(subject, graph)
        return [*(q for q in before if q not in removed), *self.draft.added_of(subject)]

    def _states(self, subject: str) -> bool:
        return any(is_type(quad) for quad in self._own(subject))

    def _types(self, subject: str) -> set[str]:
        """Return the classes of a node, the draft included."""
        removed = self.draft.removed
        before = [q for q in self.snapshot.quads_of(subject) if is_type(q) and q not in removed]
        return {q[2][1:-1] for q in (*before, *filter(is_type, self.draft.added_of(subject)))}

    def _referrers(self, subject: str) -> list[Quad]:
        """Return the statements that refer to a node, the draft included."""
        system = self.snapshot.graphs_table.terms[SYSTEM]
        before = (q for q in self.snapshot.quads_to(subject) if q[3] != system)
        after = [quad for quad in before if quad not in self.draft.removed]
        return [*after, *self.draft.added_to(subject)]

    # --- statements -------------------------------------------------------------------------

    def _begin(self, subject: str, class_iri: str, place: Place) -> None:
        """State the class of a node."""
        self.draft.note(subject, place)
        self.draft.classes[subject[1:-1]] = class_iri
        self.draft.state(subject, _TYPE, f"<{class_iri}>", place)

    def _restate(self, subject: str, shape: ClassShape, place: Place) -> None:
        """Let the source state class and participants of what others state, too."""
        own = self._own(subject)
        fitting = [t for t in self._types(subject) if self.model.is_a(t, shape.iri)]
        class_iri = self.model.most_specific(fitting) or shape.iri
        self.draft.note(subject, place)
        self.draft.classes[subject[1:-1]] = class_iri
        if not any(map(is_type, own)):
            self.draft.state(subject, _TYPE, f"<{class_iri}>", place)
        for path in shape.identity if shape.relation else ():
            value = self.snapshot.value(subject, path)
            if value is not None and not any(quad[1] == f"<{path}>" for quad in own):
                self._restate_parts(subject, self._field_of(shape, path), value, place)

    def _restate_parts(self, subject: str, field: Field, value: str, place: Place) -> None:
        if field.kind is not FieldKind.DATE:
            self.draft.state(subject, field.path, value, place)
            return
        for predicate, term, _ in self.draft.terms(field, read_literal(value)[0]):
            self.draft.state(subject, predicate, term, place)

    def _keep_identity(self, subject: str, shape: ClassShape, write: Write) -> None:
        """Refuse an update that would make a relation another one."""
        for path in shape.identity:
            field = self._field_of(shape, path)
            if field.name not in write.values:
                continue
            place = (*write.place, field.name)
            term = self._participant(field, write.values[field.name], place)
            stands = self.snapshot.values(subject, path)
            if stands != [] if term is None else term not in stands:
                message = self.draft.say("identityFixed")
                self.draft.refuse(place, "identity", message, subject, field)

    def _write_fields(self, subject: str, shape: ClassShape, values: Values, place: Place) -> None:
        """State the given fields; what the source stated of them before goes."""
        fields = writable_fields(self.model, shape.iri)
        for name, value in values.items():
            field, where = fields[name], (*place, name)
            if field.inverse:
                self._write_relations(subject, field, value, where)
                continue
            self.draft.note_field(subject, field, where)
            old = {f"<{predicate}>" for predicate in field.predicates}
            self.draft.withdraw(quad for quad in self._own(subject) if quad[1] in old)
            if value is None:
                continue
            if field.target == EVIDENCE:
                self._write_evidence(subject, field, value, where)
                continue
            try:
                for predicate, term, below in self.draft.terms(field, value):
                    self.draft.state(subject, predicate, term, (*where, *below))
            except ValueRefusedError as refused:
                self._refuse(refused, where, subject, field, value)

    def _refuse(
        self, refused: ValueRefusedError, place: Place, subject: str, field: Field, value: Any
    ) -> None:
        """Note a value that cannot be taken, where it stands."""
        for step in refused.below:
            if isinstance(value, list):
                value = value[int(step)]
            elif isinstance(value, dict):
                value = value.get(step)
        given = value if isinstance(value, str | int | float) else None
        place = (*place, *refused.below)
        self.draft.refuse(place, refused.constraint, refused.message, subject, field, given)

    def _write_relations(self, subject: str, field: Field, value: Any, place: Place) -> None:
        """Create or update relations of which this node is one end."""
        assert field.target is not None
        end = self._field_of(self.model.classes[field.target], field.path)
        for index, item in enumerate(value or ()):
            where = (*place, str(index))
            given = item.get(end.name)
            if given is not None and given != subject[1:-1]:
                message = self.draft.say("identityFixed")
                self.draft.refuse((*where, end.name), "identity", message, field_=end, value=given)
                continue
            values = {**item, end.name: subject[1:-1]}
            self._write_relation(field.target, values, where)

    def _write_relation(self, class_iri: str, values: Values, place: Place) -> None:
        shape = self.model.classes[class_iri]
        iri = self._name(shape, values, place)
        if iri is None:
            return
        known = self._states(f"<{iri}>")
        action = Action.UPDATE if known else Action.CREATE
        write = Write(action, class_iri, iri, values, place, place)
        if known:
            self._update(write, iri)
        else:
            self._create(write)

    def _write_evidence(self, subject: str, field: Field, value: Any, place: Place) -> None:
        """Tie evidence that is there, or make it: its place in the source names it."""
        for index, item in enumerate(value if isinstance(value, list) else [value]):
            where = (*place, str(index))
            given = item.get("id")
            values = {k: v for k, v in item.items() if k != "id" and v is not None}
            if given is not None and not values:
                try:
                    self.draft.state(subject, field.path, self.draft.iri(given), (*where, "id"))
                except ValueRefusedError as refused:
                    self.draft.refuse((*where, "id"), refused.constraint, refused.message, subject)
                continue
            values.setdefault("source", self.draft.graph[1:-1])
            write = Write(Action.CREATE, EVIDENCE, given, values, where, (*where, "id"))
            iri = given or self._name_evidence(values)
            if given is not None or not self._states(f"<{iri}>"):
                made = self._create(write)
                if made is None:
                    continue
                iri = made
            self.draft.state(subject, field.path, f"<{iri}>", where)
