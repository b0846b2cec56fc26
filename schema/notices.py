"""Notices: what a subscription is told of the difference between two versions.

Floor 4. The node of a notice is read by a plan, as any query reads it, on its own version. Which
versions there are, and to whom notices go, is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from graph.access import Viewer
from graph.store.allowance import begin_answer, longest_text
from graph.store.difference import Difference
from graph.store.snapshot import Snapshot
from schema.bind import Bindings, bind
from schema.execute import Engine
from schema.faults import error_entry
from schema.generate import Executable
from schema.run import Run, Tables
from schema.watching import Comparison, Met, Watch
from schema.writing import write_body

#: The type of what is told of a commit.
COMMIT: Final = "NoticeCommit"
#: The fields of a notice that hold a node of one version.
VERSIONS: Final = ("node", "previous")
#: Notices that are made in one go, and nodes that are looked at for them.
_BATCH: Final = 50
_LOOKED_AT: Final = 2_000
#: Errors of single fields that a notice lists.
_ERRORS_MAX: Final = 20


class CommitNote(NamedTuple):
    """What is told of a commit."""

    revision: int
    time: str
    agent: str
    activity: str
    message: str
    source: str | None


@dataclass(frozen=True)
class Step:
    """From one version to a later one: where they differ, and the commits between them.

    `time` is that of the later one. What subscriptions have to look at is remembered.
    """

    difference: Difference
    time: str
    commits: tuple[CommitNote, ...]
    candidates: dict[Any, Sequence[int]] = field(default_factory=dict)

    @property
    def since(self) -> int:
        """The revision of the version before."""
        return self.difference.before.revision

    @property
    def revision(self) -> int:
        """The revision of the version after."""
        return self.difference.after.revision


class Message(NamedTuple):
    """A notice as the JSON of a GraphQL response, and from where to go on once it is read."""

    payload: bytes
    resume: int


class Cursor(NamedTuple):
    """A place among the candidates of a step, and that of one before it that is yet to be told."""

    place: int = 0
    held: int | None = None


class Batch(NamedTuple):
    """Some notices of a step, and where the next begin; None after the last."""

    messages: tuple[Message, ...]
    rest: Cursor | None


_BEGIN: Final = Cursor()


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one version of the node: by a plan whose one lookup is given the identifier."""

    key: str
    bindings: Bindings
    executable: Executable
    slot: int


@dataclass(frozen=True, slots=True)
class Shape:
    """What a document asks of each notice: keys with names, plans, keys of its commits."""

    key: str
    type_name: str
    entries: tuple[tuple[str, str], ...]
    readers: Mapping[str, tuple[Reader, ...]]
    commits: Mapping[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Subscription:
    """A subscription that may run. `topic` is the same of all that get the same notices.

    `since` is the revision from which it goes on, if it named one.
    """

    engine: Engine
    watch: Watch
    shape: Shape
    viewer: Viewer
    languages: tuple[str, ...]
    variables: Mapping[str, Any]
    topic: tuple[Any, ...]
    since: int | None

    def concerns(self, step: Step) -> bool:
        """Tell whether there may be something to tell; quick."""
        if self.watch.where is not None:
            return bool(step.difference.nodes)
        return any(step.difference.of_class(iri) for iri in self.watch.classes or (None,))

    def batch(self, step: Step, start: Cursor = _BEGIN) -> Batch:
        """Return the notices of a step from a place on, as many as one go makes.

        Raises
        ------
        QueryTooLargeError
            The condition looks at too much, or a node holds too much.
        """
        versions = {"node": self.run_on(step.difference.after)}
        versions["previous"] = self.run_on(step.difference.before)
        compared = Comparison(step.difference, versions["previous"], versions["node"], self.watch)
        candidates = step.candidates.get(self.topic)
        if candidates is None:
            candidates = step.candidates[self.topic] = compared.candidates()
        found, rest = _gather(compared, candidates, start)
        writer = _Writer(self, step, versions)
        last = len(found) - 1
        return Batch(
            tuple(
                writer.write(met, is_last=rest is None and place == last)
                for place, met in enumerate(found)
            ),
            rest,
        )

    def run_on(self, snapshot: Snapshot) -> Run:
        """Return a run for this reader on one version."""
        return Run(snapshot, self.viewer, self.engine.settings, self.languages)


class _Writer:
    """Writes the notices of one batch."""

    def __init__(self, subscription: Subscription, step: Step, versions: Mapping[str, Run]) -> None:
        self.subscription = subscription
        self.shape = subscription.shape
        self.step = step
        self.versions = versions
        self.readers = {
            reader.key: self._bound(reader, versions[name])
            for name in VERSIONS
            for reader in self.shape.readers[name]
        }

    def write(self, met: Met, *, is_last: bool) -> Message:
        """Return the notice of one entity."""
        step = self.step
        iri = step.difference.after.terms.text(met.number)
        resume = step.revision if is_last else step.since
        values = {
            "__typename": self.shape.type_name,
            "kind": met.kind.value,
            "id": iri,
            "fields": list(met.fields),
            "revision": step.revision,
            "since": step.since,
            "resume": resume,
            "time": step.time,
        }
        limit = self.subscription.engine.settings.graphql_answer_bytes
        begin_answer(limit)
        for run in self.versions.values():
            run.errors.clear()
            run.counter[0] = 0  # each notice by itself is an answer
        data: dict[str, Any] = {}
        for key, name in self.shape.entries:
            if name in VERSIONS:
                data[key] = self.readers[key](iri)
            elif name == "commits":
                data[key] = self._commits(self.shape.commits[key])
            else:
                data[key] = values[name]
        body: dict[str, Any] = {"data": {self.shape.key: data}}
        errors = [error for run in self.versions.values() for error in run.errors]
        if errors:
            body["errors"] = [error_entry(error) for error in errors[:_ERRORS_MAX]]
        nodes = sum(run.counter[0] for run in self.versions.values())
        return Message(write_body(body, nodes, longest_text(), limit), resume)

    def _bound(self, reader: Reader, run: Run) -> Callable[[str], Any]:
        """Return what reads a node by its identifier."""
        mine = self.subscription.run_on(run.snapshot)
        mine.counter, mine.errors = run.counter, run.errors
        bind(reader.bindings, mine, self.subscription.variables)
        root = reader.executable(Tables(run.snapshot))(mine)

        def read(iri: str) -> Any:
            mine.bound[reader.slot] = iri
            (data,) = root().values()
            mine.count(0, reader.key)  # single nodes are counted, and looked at only here
            return data

        return read

    def _commits(self, entries: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        return [
            {
                key: COMMIT if name == "__typename" else getattr(commit, name)
                for key, name in entries
            }
            for commit in self.step.commits
        ]


def _gather(
    compared: Comparison, candidates: Sequence[int], start: Cursor
) -> tuple[list[Met], Cursor | None]:
    """Return what is to be told from a place on, and the next place; None at the end.

    Before the end the last one that was met is held back, so that one is left to be the last.
    """
    found: list[tuple[int, Met]] = []
    if start.held is not None and (met := compared.meet(candidates[start.held])) is not None:
        found.append((start.held, met))
    place, end = start.place, min(len(candidates), start.place + _LOOKED_AT)
    while place < end and len(found) <= _BATCH:
        met = compared.meet(candidates[place])
        if met is not None:
            found.append((place, met))
        place += 1
    rest = None
    if place < len(candidates) or len(found) > _BATCH:
        rest = Cursor(place, found.pop()[0] if found else None)
    return [met for _, met in found], rest
