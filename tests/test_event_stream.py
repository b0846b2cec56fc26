"""What ends a stream of events, where its reader takes nothing."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from web import event_stream
from web.cycle import Cycle
from web.event_stream import _Events
from web.parts import BrokenOffError


async def _never(message: Any) -> None:
    await asyncio.Event().wait()


def _events(send: Any, *, valid: bool) -> _Events:
    events: Any = object.__new__(_Events)
    events.streams = SimpleNamespace(is_valid=lambda viewer: valid)
    events.viewer, events._send = None, send
    found: _Events = events
    return found


def test_a_revoked_token_ends_a_stream_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "CHECK_S", 0.05)

    async def watch() -> None:
        async with asyncio.timeout(20):
            await _events(_never, valid=False)._watch()

    with pytest.raises(BrokenOffError):
        asyncio.run(watch())


def test_a_revoked_token_is_told_where_somebody_reads() -> None:
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message["body"])

    asyncio.run(_events(send, valid=False)._watch())
    assert b"UNAUTHENTICATED" in sent[0]


@pytest.mark.parametrize("is_stuck", [True, False])
def test_what_is_broken_off_does_not_wait_for_its_reader(is_stuck: bool) -> None:
    ended: list[str] = []
    cycle: Any = object.__new__(Cycle)
    cycle.scope, cycle.receive, cycle.send = {}, _never, _never
    cycle.response_started, cycle.response_complete, cycle.disconnected = True, False, False
    cycle.logger = SimpleNamespace(error=ended.append)
    cycle.on_response = lambda: None
    cycle.flow = SimpleNamespace(write_paused=is_stuck)
    cycle.transport = SimpleNamespace(
        abort=lambda: ended.append("aborted"), close=lambda: ended.append("closed")
    )

    async def app(*_: Any) -> None:
        raise BrokenOffError("gone")

    asyncio.run(cycle.run_asgi(app))
    assert ended == ["aborted" if is_stuck else "closed"]
