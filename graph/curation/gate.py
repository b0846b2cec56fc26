"""The gate: the one way to a commit.

Floor 2. A change is normalised, looked at on the dataset as it would leave it, and recorded with
its warnings; or it is refused with everything that is wrong, and leaves nothing behind. Who may
ask is decided above; how a commit is made durable, below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from graph.access import Level
from graph.curation.computed import find_orphans, is_computed, refused_computed
from graph.curation.formats import Upload, open_file, read_rdf
from graph.curation.levels import Sight, refused_levels, see, validate_levels
from graph.curation.messages import DEFAULT_LANGUAGE, say
from graph.curation.normalise import normalise
from graph.curation.provenance import refused_graphs, require_sources
from graph.curation.validate import Validator
from graph.curation.view import View
from graph.errors import BadValueError, ShapeViolationError, Violation
from graph.model import Model
from graph.settings import Settings
from graph.store.commit import Change
from graph.store.dataset import Dataset
from graph.store.levels import Division, Levels, divide
from graph.terms import Quad, is_iri

#: Activity of the commits that load the seeds; only they write seed graphs.
SEEDS: Final = "seeds"
#: Warnings that are kept with a commit; of more, the number.
_WARNINGS_KEPT: Final = 1_000

#: Returns what is to be added and removed, from what the writer sees of the version it applies to.
Decide = Callable[[Sight], tuple[Iterable[Quad], Iterable[Quad]]]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of a change: the revision that holds it, how many quads it added and removed.

    Of a dry run, or when there was nothing to do, `revision` is the one that stands already.
    """

    revision: int
    added: int
    removed: int
    warnings: tuple[Violation, ...] = ()


class Gate:
    """Takes changes for one dataset. Methods may be called from any thread."""

    def __init__(self, dataset: Dataset, model: Model, settings: Settings) -> None:
        self.dataset = dataset
        self.model = model
        self.settings = settings
        self.validator = Validator(model)

    def is_seed(self, graph: str) -> bool:
        """Tell whether a graph (IRI) comes with the seeds: read-only for everyone else."""
        if self.dataset.log.writers.get(graph) != SEEDS:
            return False
        term = f"<{graph}>"
        return self.dataset.snapshot.graph_count(term) > 0 and not is_computed(term)

    def submit(
        self,
        added: Iterable[Quad],
        removed: Iterable[Quad] = (),
        *,
        agent: str,
        activity: str,
        message: str,
        source: str | None = None,
        dry_run: bool = False,
        expect: int | None = None,
        language: str = DEFAULT_LANGUAGE,
    ) -> Receipt:
        """Record a change of quads, or refuse it whole.

        Parameters
        ----------
        added, removed : iterables of Quad
            As they come in; statements of the default graph belong to `source`.
        agent, activity, message : str
            Who, what kind of act (not `seeds`), and why.
        source : str
            IRI of the source that the change comes from.
        dry_run : bool
            Answer as if, and change nothing.
        expect : int
            Revision that the caller saw; a later one is a conflict.
        language : str
            Of the messages: `en` or `fr`.

        Raises
        ------
        ShapeViolationError
            Terms that cannot be kept, broken shapes, or graphs that may not be written.
        ProvenanceMissingError
            A graph that is written is not described as a source.
        ReplicaError
            This is a read replica.
        RevisionConflictError
            There is a later revision than `expect`.
        StoreFullError, StoreUnavailableError
            The log could not be written.
        """
        if activity == SEEDS:
            raise ValueError("seeds are loaded by graph.curation.seeding alone")
        quads = self._normalise(added, source, language)
        gone = self._normalise(removed, source, language)
        change = Change((), (), agent, activity, message, source)
        return self.settle(
            change, lambda _: (quads, gone), dry_run=dry_run, expect=expect, language=language
        )

    def load(
        self,
        files: Sequence[Path | Upload],
        graph: str | None = None,
        *,
        dry_run: bool = False,
        agent: str = "command line",
        message: str | None = None,
        language: str = DEFAULT_LANGUAGE,
    ) -> Receipt:
        """Add the statements of RDF files as one commit.

        Parameters
        ----------
        files : sequence of Path or Upload
            Paths are files of the operator's own machine, gzipped or not.
        graph : str
            IRI of the source that statements outside any named graph belong to.

        Raises
        ------
        ParseError
            A file cannot be read; with line and column where they are known.
        PayloadTooLargeError
            A file is nested too deeply, or takes too long to read.
        BadValueError
            `graph` is not an IRI.
        RhizomeError
            As for `submit`.
        """
        self.dataset.require_writer()
        if graph is not None and not is_iri(graph):
            raise BadValueError("--graph", graph[:200], "an absolute IRI")
        uploads = [f if isinstance(f, Upload) else open_file(f) for f in files]
        names = ", ".join(Path(upload.name).name for upload in uploads)
        change = Change((), (), agent, "load", message or f"load {names}", graph)
        parsed = (read_rdf(upload, self.settings) for upload in uploads)
        quads = self.read(parsed, graph, language)
        return self.settle(change, lambda _: (quads, ()), dry_run=dry_run, language=language)

    def read(
        self,
        files: Iterable[Iterable[Quad]],
        graph: str | None = None,
        language: str = DEFAULT_LANGUAGE,
    ) -> list[Quad]:
        """Return the normalised quads of parsed files; blank nodes of two files never meet.

        Raises
        ------
        ShapeViolationError
            Terms that cannot be kept, of all files.
        """
        quads: dict[Quad, None] = {}
        violations: list[Violation] = []
        for parsed in files:
            result = normalise(parsed, self.settings, graph, language)
            quads.update(dict.fromkeys(result.quads))
            violations += result.violations
        if violations:
            raise ShapeViolationError(tuple(violations))
        return list(quads)

    def settle(
        self,
        change: Change,
        decide: Decide,
        *,
        dry_run: bool = False,
        expect: int | None = None,
        language: str = DEFAULT_LANGUAGE,
        level: Level = Level.RESTRICTED,
    ) -> Receipt:
        """Record what `decide` returns for the current version, normalised quads, if it is valid.

        `level` is the writer's: nothing above it is seen, written or told; an operator sees all.
        No other change comes between the look and the record. Raises as `submit` does.
        """
        self.dataset.require_writer()
        warnings: tuple[Violation, ...] = ()

        def look(levels: Levels, asked: Change) -> Change:
            nonlocal warnings
            added, removed = map(tuple, decide(see(levels, level)))
            refused = tuple(refused_computed(self.model, asked, added, removed, language))
            if refused:
                raise ShapeViolationError(refused)
            view = View(levels.whole, added, removed)
            division = divide(levels, view.added, view.removed)
            orphans = find_orphans(levels.public, *division.deltas[Level.PUBLIC])
            if orphans:  # reports are public: what they lose is told by the public level
                view = View(levels.whole, added, (*removed, *orphans))
                division = divide(levels, view.added, view.removed)
            refused = tuple(refused_levels(division, level, language))
            if refused:
                raise ShapeViolationError(refused)
            warnings = self._check(view, levels, division, asked.activity, level, language)
            return replace(
                asked,
                added=tuple(view.added),
                removed=tuple(view.removed),
                warnings=_keep(warnings, language),
            )

        if dry_run:
            levels = self.dataset.levels
            settled = look(levels, change)
            return Receipt(levels.revision, len(settled.added), len(settled.removed), warnings)
        commit = self.dataset.commit(change, expect, look)
        if commit is None:
            return Receipt(self.dataset.revision, 0, 0, warnings)
        return Receipt(commit.revision, len(commit.added), len(commit.removed), warnings)

    def _check(
        self,
        view: View,
        levels: Levels,
        division: Division,
        activity: str,
        level: Level,
        language: str,
    ) -> tuple[Violation, ...]:
        """Return the warnings of a change that may be recorded."""
        is_seed = _never if activity == SEEDS else self.is_seed
        refused = tuple(refused_graphs(view, is_seed, language))
        if refused:
            raise ShapeViolationError(refused)
        require_sources(view, self.model)
        found = validate_levels(self.validator, view, levels, division, level, language)
        violations = tuple(v for v in found if v.severity == "Violation")
        if violations:
            raise ShapeViolationError(violations)
        return tuple(found)

    def _normalise(
        self, quads: Iterable[Quad], source: str | None, language: str
    ) -> tuple[Quad, ...]:
        result = normalise(quads, self.settings, source, language)
        if result.violations:
            raise ShapeViolationError(result.violations)
        return result.quads


def _never(graph: str) -> bool:
    """Tell of no graph that it is read-only: the seeds write their own."""
    del graph
    return False


def _keep(warnings: tuple[Violation, ...], language: str) -> tuple[Violation, ...]:
    """Return the warnings that go into the record; a bulk load has too many for a header."""
    more = len(warnings) - _WARNINGS_KEPT
    if more <= 0:
        return warnings
    text = say("moreWarnings", language, count=more)
    return (*warnings[:_WARNINGS_KEPT], Violation("", None, None, "count", "Warning", text))
