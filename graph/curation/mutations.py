"""Mutations: acts on entities, recorded together as one commit of one source, or refused whole.

Floor 2. Who may write which source is decided here, on the same version that the change applies
to; then the gate validates and records. What is wrong comes back as data, each with its place in
the input. Nothing here knows of GraphQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from graph.access import Level, Scope, Viewer
from graph.curation.draft import Draft, Located, ValueRefusedError
from graph.curation.editing import SOURCE, Action, Editor, Write, count_acts
from graph.curation.gate import Gate, Receipt
from graph.curation.levels import Sight
from graph.curation.messages import DEFAULT_LANGUAGE
from graph.curation.owners import Owners
from graph.curation.repeats import (
    MARK_START,
    MUTATION,
    Kept,
    Repeat,
    Repeats,
    make_repeat,
)
from graph.errors import (
    BadValueError,
    ForbiddenError,
    QueryTooLargeError,
    RevisionConflictError,
    ShapeViolationError,
    UnauthenticatedError,
)
from graph.store.commit import Change
from graph.store.levels import read_level
from graph.store.snapshot import Snapshot
from graph.terms import RDF_TYPE, Quad, write_literal

#: A source that a mutation begins is what a user states, unless it says otherwise.
_KIND: Final = ("kind", "user")
_LINE: Final = re.compile(r"[^\x00-\x1f\x7f]*")
#: What is read to see whether an entity changed since a revision; beyond it, it counts as changed.
_COMMITS_READ: Final = 1_000
_STATEMENTS_READ: Final = 20_000


@dataclass(frozen=True, slots=True)
class Mutation:
    """What is asked: acts, all in one source; `begin` describes the source if it is new."""

    source: str
    writes: tuple[Write, ...]
    begin: dict[str, Any] | None = None
    message: str | None = None
    dry_run: bool = False
    if_revision: int | None = None
    key: str | None = None
    language: str = DEFAULT_LANGUAGE


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a mutation.

    `ids` gives the IRI of each act's entity, None where it is not known. Of a dry run, and of one
    that was refused or changed nothing, `revision` is the one that stands.
    """

    accepted: bool
    revision: int
    ids: tuple[str | None, ...]
    violations: tuple[Located, ...] = ()
    warnings: tuple[Located, ...] = ()
    repeated: bool = False


class _RefusedError(Exception):
    """The input cannot be taken; the draft says why."""


class Mutations:
    """Takes mutations for one gate. Methods may be called from any thread."""

    def __init__(self, gate: Gate, is_valid: Callable[[Viewer], bool] | None = None) -> None:
        """`is_valid` tells whether a viewer's token still holds when its turn comes."""
        self.gate = gate
        self.owners = Owners(gate, is_valid)
        self.model = gate.model
        self.settings = gate.settings
        self._log = gate.dataset.log
        self._repeats: Repeats[Outcome] = Repeats(self._log, self.settings.idempotency_keys)

    def run(self, mutation: Mutation, viewer: Viewer) -> Outcome:
        """Record a mutation, or say what is wrong with it.

        Raises
        ------
        UnauthenticatedError, ForbiddenError
            The viewer may not write, or not into this source.
        ReplicaError
            This is a read replica.
        BadValueError, QueryTooLargeError
            Message or key cannot be used, or there are too many acts.
        RevisionConflictError
            An entity that is written changed since `if_revision`.
        KeyReusedError
            The key was sent with another body.
        StoreFullError, StoreUnavailableError
            The log could not be written; nothing changed.
        """
        require_scope(viewer, Scope.WRITE)
        self.gate.dataset.require_writer()
        self._require_bounds(mutation)
        mutation = self._with_source(mutation)
        if mutation.key is None or mutation.dry_run:
            return self._record(mutation, viewer, None)
        repeat = make_repeat(viewer.name, mutation.key, _body(mutation, viewer.level))
        with self._repeats.turn(repeat) as known:
            if known is not None:
                return self._again(mutation, known, viewer)
            outcome = self._record(mutation, viewer, repeat)
            if outcome.accepted:
                self._repeats.keep(repeat, outcome.revision, outcome)
            return outcome

    def _require_bounds(self, mutation: Mutation) -> None:
        allowed = self.settings.graphql_writes
        counts = (count_acts(self.model, w.class_iri or SOURCE, w.values) for w in mutation.writes)
        acts = sum(counts) if len(mutation.writes) <= allowed else len(mutation.writes)
        if acts > allowed:
            raise QueryTooLargeError("graphql_writes", allowed, acts, "writes")
        message, most = mutation.message or "", self.settings.message_characters
        if len(message) > most or not _LINE.fullmatch(message):
            expected = f"one line of at most {most} characters"
            raise BadValueError("message", message[:40], expected)
        if MARK_START in message:
            raise BadValueError("message", message[:40], f"a text without {MARK_START!r}")

    def _again(self, mutation: Mutation, known: Kept[Outcome], viewer: Viewer) -> Outcome:
        """Return the first answer; after a restart, its parts that the log remembers."""
        if known.outcome is not None:
            return replace(known.outcome, repeated=True)
        snapshot = self.gate.dataset.snapshot_for(viewer)
        editor = Editor(self.model, snapshot, self._draft(mutation))
        ids = tuple(editor.identify(write) for write in mutation.writes)
        header = next(self._log.headers(known.revision - 1))
        warnings = tuple(Located(warning, ()) for warning in header.warnings)
        return Outcome(True, known.revision, ids, warnings=warnings, repeated=True)

    def _record(self, mutation: Mutation, viewer: Viewer, repeat: Repeat | None) -> Outcome:
        draft = self._draft(mutation)
        ids: tuple[str | None, ...] = ()

        def decide(sight: Sight) -> tuple[Iterable[Quad], Iterable[Quad]]:
            nonlocal draft, ids
            snapshot = self._seen_by_readers(mutation, sight)
            draft = self._draft(mutation)
            self.owners.require_valid(viewer)
            self.owners.require_own(mutation.source, viewer, sight)
            editor = Editor(self.model, snapshot, draft)
            self._begin_source(mutation, editor, snapshot)
            ids = tuple(editor.apply(write) for write in mutation.writes)
            editor.finish()
            self._require_unchanged(mutation, draft, sight)
            if draft.problems:
                raise _RefusedError
            if not mutation.dry_run:
                self.owners.begin(mutation.source, viewer)
            return tuple(draft.added), tuple(draft.removed)

        message = mutation.message or _describe(mutation)
        change = Change(
            added=(),
            removed=(),
            agent=viewer.name,
            activity=MUTATION,
            message=message + (repeat.mark if repeat else ""),
            source=mutation.source,
        )
        try:
            receipt = self.gate.settle(
                change,
                decide,
                dry_run=mutation.dry_run,
                language=mutation.language,
                level=viewer.level,
            )
        except _RefusedError:
            return self._refusal(ids, draft.problems)
        except ShapeViolationError as error:
            found = [draft.locate(violation, self.model) for violation in error.violations]
            return self._refusal(ids, found)
        finally:
            self.owners.settle(mutation.source)
        return self._accepted(receipt, ids, draft)

    def _refusal(self, ids: tuple[str | None, ...], found: Iterable[Located]) -> Outcome:
        revision = self.gate.dataset.revision
        return Outcome(False, revision, ids, violations=tuple(found))

    def _accepted(self, receipt: Receipt, ids: tuple[str | None, ...], draft: Draft) -> Outcome:
        warnings = tuple(draft.locate(warning, self.model) for warning in receipt.warnings)
        return Outcome(True, receipt.revision, ids, warnings=warnings)

    def _with_source(self, mutation: Mutation) -> Mutation:
        """Return the mutation with its source's IRI as it is kept; a wrong one is told of later."""
        try:
            iri = self._draft(mutation).iri(mutation.source)
        except ValueRefusedError:
            return mutation
        return replace(mutation, source=iri[1:-1])

    def _draft(self, mutation: Mutation) -> Draft:
        return Draft(f"<{mutation.source}>", self.settings, mutation.language)

    def _seen_by_readers(self, mutation: Mutation, sight: Sight) -> Snapshot:
        """Return what the readers of the source see of the version.

        A mutation repeats what others state (the ends of a relation): what its source's readers may
        not read must not come into the source by that.
        """
        levels, graph = sight.levels, f"<{mutation.source}>"
        level = levels.level_of(graph)
        begun = (mutation.begin or {}).get("visibility")
        if not levels.whole.graph_count(graph) and begun is not None:
            level = read_level([write_literal(str(begun))])
        return levels.at(min(level, sight.level)).snapshot

    # --- the source -------------------------------------------------------------------------

    def _begin_source(self, mutation: Mutation, editor: Editor, snapshot: Snapshot) -> None:
        """Describe the source if it is new; what is there already stays as it is."""
        graph, draft = f"<{mutation.source}>", editor.draft
        place = ("source", "id")
        try:
            draft.iri(mutation.source)
        except ValueRefusedError as refused:
            draft.refuse(place, refused.constraint, refused.message, value=mutation.source)
            return
        kinds = [f"<{iri}>" for iri in self.model.descendants[SOURCE]]
        if any(snapshot.contains((graph, RDF_TYPE, kind, graph)) for kind in kinds):
            return
        if mutation.begin is None:
            message = draft.say("noSuchSource", iri=mutation.source)
            draft.refuse(place, "exists", message, value=mutation.source)
            return
        name, value = _KIND
        values = {name: value, **{k: v for k, v in mutation.begin.items() if v is not None}}
        create = ("source", "create")
        editor.apply(Write(Action.CREATE, SOURCE, mutation.source, values, create, place))

    # --- lost updates -----------------------------------------------------------------------

    def _require_unchanged(self, mutation: Mutation, draft: Draft, sight: Sight) -> None:
        """Refuse to write over what changed since the revision that the caller saw.

        Raises
        ------
        RevisionConflictError
            A later commit says something else of a node that is written, in whatever source that
            the caller may read.
        """
        seen, revision = mutation.if_revision, sight.levels.revision
        if seen is None or seen == revision:
            return
        nodes = {quad[0] for quad in (*draft.added, *draft.removed)} - {draft.graph}
        if seen > revision or self._changed_since(seen, sight, nodes):
            raise RevisionConflictError(seen, revision)

    def _changed_since(self, seen: int, sight: Sight, nodes: set[str]) -> bool:
        log, revision = self._log, sight.levels.revision
        if seen >= sight.snapshot.revision:
            return False  # nothing that the caller may read changed
        if seen < 0 or log.revision != revision or log.revision - seen > _COMMITS_READ:
            return True  # too much to read, or a commit is under way: the careful answer
        left = _STATEMENTS_READ
        for header in log.headers(seen):
            left -= sum(part.added + part.removed for part in header.parts)
            if left < 0:
                return True
            for _, quad in log.quads(header):
                if quad[0] in nodes and sight.levels.is_seen(quad[3], sight.level):
                    return True
        return False


def require_scope(viewer: Viewer, scope: Scope) -> None:
    """Check that a viewer's token has a scope.

    Raises
    ------
    UnauthenticatedError
        There is no token.
    ForbiddenError
        It lacks the scope.
    """
    if viewer.is_anonymous:
        raise UnauthenticatedError(f"a token with the scope {scope} is needed")
    if scope not in viewer.scopes:
        raise ForbiddenError(f"the token {viewer.token} lacks the scope {scope}", scope.value)


def _body(mutation: Mutation, level: Level) -> object:
    """Return all that an answer depends on; tokens of one name may have several levels."""
    writes = [asdict(write) for write in mutation.writes]
    rest = (mutation.source, mutation.begin, mutation.message, mutation.if_revision)
    return [writes, *rest, *([level.name] if level > Level.PUBLIC else [])]


def _describe(mutation: Mutation) -> str:
    """Return a message for a commit without one: what was done, and to how many."""
    counts = {action: sum(write.action is action for write in mutation.writes) for action in Action}
    return ", ".join(f"{action} {count}" for action, count in counts.items() if count) or "nothing"
