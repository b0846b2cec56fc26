"""Opens what the service needs: dataset, seeds, GraphQL engine, workers, control socket.

Floor 5. It runs in a thread while the server already listens, and says at each step what it is
doing. What it opened it closes again, in the other order, at the end or when a later step fails.
"""

from __future__ import annotations

import gc
import logging
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from graph.curation.check import check_checkpoint, check_snapshot
from graph.curation.gate import Gate
from graph.curation.mutations import Mutations
from graph.curation.seeding import seed
from graph.curation.sparql_writes import SparqlWrites
from graph.errors import SettingError, StoreUnavailableError
from graph.store.access_tokens import Tokens
from graph.store.dataset import Dataset
from graph.store.external_pool import ExternalPool, open_external
from graph.store.level_images import drop_images
from graph.store.pool import Pool
from graph.store.role import mark_replica, promote, read_writer
from graph.store.workers import QueryPool
from schema.execute import Engine
from schema.library import with_library
from schema.loading import load_schema
from schema.mutation import Writer
from schema.sdl import keep_schema
from schema.subscribing import Subscriber
from web.commands import SEEDS, Opened, run_command
from web.control import ControlServer
from web.following import Following
from web.memory import give_back
from web.report import load_analysis
from web.service import Parts
from web.upstream import Upstream, is_open_to_others

if TYPE_CHECKING:
    from graph.settings import Settings
    from web.service import Service

#: How long the SPARQL store may take to hold what the start has just loaded, in seconds.
_STORE_WAIT_S: Final = 60.0
#: Pause of the background check after each millisecond of work, in seconds.
_PAUSE_S: Final = 0.002
#: When the collector looks for cycles: rarely, since starts and answers make many objects and none.
_ROUNDS: Final = (100_000, 50, 100)

_logger = logging.getLogger("rhizome.start")


def open_served(service: Service, address: str, *, seeds: bool) -> Parts:
    """Return the parts of a service that has the process for itself: see `open_parts`.

    What was made lives as long as the service, and is taken out of the collector's rounds: one over
    the columns of a million quads held every request up for a third of a second, and what the start
    does behind the first answers made enough objects for five of them.
    """
    gc.set_threshold(*_ROUNDS)
    parts = open_parts(service, address, seeds=seeds)
    gc.freeze()
    return parts


def settle_role(settings: Settings, *, promotes: bool) -> None:
    """Make sure that a store is served as what it is, a writer's or a replica's.

    Raises
    ------
    SettingError
        A replica's is to be served without following, or the settings of following are wrong.
    """
    if settings.follow:
        if promotes:
            raise SettingError("follow", "...", "given together with --promote")
        Upstream(settings)
        return
    if promotes:
        promote(settings.store)
    elif (writer := read_writer(settings.store)) is not None:
        expected = (
            f"the URL of a writer: this store is a read replica of {writer}; --follow that, or "
            "--promote this one, so that it takes changes of its own"
        )
        raise SettingError("follow", "", expected)


def open_parts(service: Service, address: str, *, seeds: bool) -> Parts:
    """Return the parts of a service, open; the pool's processes are not started yet.

    Parameters
    ----------
    service : Service
        Its `stage` follows what is being done.
    address : str
        Where the server listens, for those who ask who has the store.
    seeds : bool
        Whether an empty store is given the seeds, and older seeds are replaced; a replica never
        loads any.

    Raises
    ------
    RhizomeError
        What a part met; nothing stays open then.
    """
    settings, model = service.settings, service.model
    started = time.monotonic()
    with ExitStack() as stack:
        if settings.follow:
            mark_replica(settings.store, Upstream(settings).name)
        dataset = Dataset.open(settings, with_library(model, settings))
        stack.callback(dataset.close)
        gate = Gate(dataset, model, settings)
        following = _follow(service, dataset, stack)
        if seeds and following is None:
            service.stage = "loading the seeds"
            seed(gate, SEEDS)
        service.stage = "building the schema"
        engine = Engine(model, load_schema(model), settings, dataset.log, lambda: dataset.levels)
        tokens = Tokens.open(settings)
        mutations = Mutations(gate, tokens.recheck)
        writer = Writer(engine, mutations)
        writes = SparqlWrites(gate, mutations.owners)
        stack.callback(writes.close)
        subscriber = Subscriber(engine)
        service.stage = "waiting for the SPARQL store"
        if not dataset.wait_for_store(dataset.revision, _STORE_WAIT_S):
            raise StoreUnavailableError("the SPARQL store does not follow the log; see the log")
        pool = _open_pool(settings, dataset, stack)
        opened = Opened(settings, dataset, gate, tokens, f"the server at {address}", pool)
        control = ControlServer(settings.store, lambda command: run_command(command, opened))
        stack.callback(control.close, settings.stop_s)
        dataset.index_texts()
        if following is not None:
            following.start()
        closing = stack.pop_all()
    _logger.info(
        "opened",
        extra={
            "fields": {
                "revision": dataset.revision,
                "quads": dataset.snapshot.quad_count,
                "seconds": round(time.monotonic() - started, 2),
            }
        },
    )
    return Parts(
        dataset, gate, pool, engine, writer, writes, subscriber, tokens, closing.close, following
    )


def _follow(service: Service, dataset: Dataset, stack: ExitStack) -> Following | None:
    """Return what follows the writer, if one is to be followed; an empty store is filled first."""
    settings = service.settings
    if not settings.follow:
        return None
    upstream = Upstream(settings)
    if upstream.is_open_to_eavesdroppers:
        _logger.warning("the writer is asked over http: who listens on the way learns the token")
    if is_open_to_others(Path(settings.follow_token_file)):
        _logger.warning("others may read the file of the writer's token: chmod 600")
    following = Following(settings, dataset, upstream)
    stack.callback(following.close)
    if dataset.log.revision == 0:
        following.copy_all(
            lambda text: setattr(service, "stage", text), service.streams.closing.is_set
        )
    return following


def _open_pool(settings: Settings, dataset: Dataset, stack: ExitStack) -> Pool:
    """Return who answers SPARQL: the server that the settings name, or the embedded workers."""
    if not settings.sparql:
        return QueryPool(settings, dataset)
    dataset.external = open_external(settings, dataset)
    stack.callback(dataset.external.close)
    return ExternalPool(settings, dataset.external)


def verify_parts(parts: Parts) -> None:
    """Read all derived data once, in the background, after a start that trusted its stamps.

    What reports need is loaded then, and memory that only the start needed is given back.

    A SPARQL store that is wrong is built anew. A snapshot that is wrong cannot be served.

    Raises
    ------
    StoreCorruptError
        The snapshot is not what the log states; its image is removed, so that the next start
        builds it from the log.
    """
    dataset = parts.dataset
    finding = check_snapshot(dataset, lambda: time.sleep(_PAUSE_S))
    if finding.error is not None:
        drop_images(dataset.folder)
        raise finding.error
    # Not sooner: what lives long would lie between what the search index needs while it is made.
    load_analysis()
    found = check_checkpoint(dataset)
    if found is not None and found.error is not None:
        _logger.error("the SPARQL store is wrong: %s", found.error)
        dataset.mend_store(str(found.error))
    _logger.info("all derived data is as the log states")
    keep_schema()
    give_back()
