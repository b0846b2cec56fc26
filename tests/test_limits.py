from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

from graph.errors import (
    PayloadTooLargeError,
    RateLimitedError,
    SettingError,
    SlowRequestError,
)
from graph.settings import Settings
from web import limits
from web.limits import Limiter, Limits, Rate, find_address, rate_key, read_networks
from web.receiving import receive_by


def scope(path: str = "/sparql", method: str = "POST", **headers: str) -> dict[str, Any]:
    return {
        "type": "http",
        "path": path,
        "method": method,
        "client": ("192.0.2.1", 1234),
        "headers": [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()],
    }


def limiter(**settings: Any) -> Limiter:
    return Limiter(Settings.from_environment({}, **settings))


class TestRate:
    def test_the_allowance_may_be_used_at_once_and_not_once_more(self) -> None:
        rate = Rate("rate_api", 3)
        for _ in range(3):
            rate.take("a", 100.0)
        with pytest.raises(RateLimitedError) as caught:
            rate.take("a", 100.0)
        assert caught.value.retry_after_s == pytest.approx(20)
        assert (caught.value.limit, caught.value.allowed) == ("rate_api", 3)

    def test_who_waits_as_told_may_ask_again(self) -> None:
        rate = Rate("rate_api", 3)
        for _ in range(3):
            rate.take("a", 100.0)
        with pytest.raises(RateLimitedError):
            rate.take("a", 119.9)
        rate.take("a", 120.0)
        with pytest.raises(RateLimitedError):
            rate.take("a", 120.1)

    @pytest.mark.parametrize("allowance", [1, 7, 11, 120, 1200])
    def test_a_refusal_costs_nothing_and_no_rounding_loses_a_request(self, allowance: int) -> None:
        rate = Rate("rate_api", allowance)
        taken = 0
        for _ in range(allowance + 5):
            try:
                rate.take("a", 5.0)
                taken += 1
            except RateLimitedError:
                pass
        assert taken == allowance
        rate.take("a", 5.0 + 60 / allowance)

    def test_addresses_do_not_share(self) -> None:
        rate = Rate("rate_api", 1)
        rate.take("a", 0.0)
        rate.take("b", 0.0)

    def test_zero_is_no_limit(self) -> None:
        rate = Rate("rate_api", 0)
        for _ in range(1000):
            rate.take("a", 0.0)
        rate.charge("a", 1e9, 0.0)
        assert rate.wait_s("a", 0.0) == 0

    def test_use_may_be_charged_above_the_allowance_and_is_worked_off(self) -> None:
        rate = Rate("rate_query_s", 20)
        rate.charge("a", 19, 0.0)
        assert rate.wait_s("a", 0.0) == 0
        rate.charge("a", 5, 0.0)
        assert rate.wait_s("a", 0.0) == pytest.approx(12)
        assert rate.wait_s("a", 12.0) == 0

    def test_memory_is_bounded_and_heavy_users_are_kept(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "_ADDRESSES", 100)
        rate = Rate("rate_api", 10)
        rate.charge("heavy", 10, 0.0)
        for i in range(1000):
            rate.take(f"light{i}", 0.0)
        assert len(rate._even_at) <= 100
        with pytest.raises(RateLimitedError):
            rate.take("heavy", 0.0)
        rate.take("later", 1000.0)
        for i in range(99):
            rate.take(f"x{i}", 1000.0)
        rate.take("y", 1000.0)
        assert "heavy" not in rate._even_at


class TestAddress:
    def test_a_header_is_not_believed_without_trusted_proxies(self) -> None:
        assert find_address(scope(x_forwarded_for="203.0.113.9"), ()) == "192.0.2.1"

    @pytest.mark.parametrize(
        ("forwarded", "address"),
        [
            ("203.0.113.9", "203.0.113.9"),
            ("1.2.3.4, 203.0.113.9", "203.0.113.9"),  # the left one anyone may write
            ("203.0.113.9, 192.0.2.7", "203.0.113.9"),  # through two trusted ones
            ("203.0.113.9:8080", "203.0.113.9"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("evil\u00e9, 203.0.113.9", "203.0.113.9"),
            ("unknown", "192.0.2.1"),
            ("", "192.0.2.1"),
            (", ,", "192.0.2.1"),
            ("203.0.113.9, nonsense", "192.0.2.1"),
        ],
    )
    def test_a_trusted_proxy_is_believed_from_the_right(self, forwarded: str, address: str) -> None:
        networks = read_networks("192.0.2.0/24")
        asked = scope()
        asked["headers"] = [(b"x-forwarded-for", forwarded.encode("latin-1"))]
        assert find_address(asked, networks) == address

    def test_several_headers_are_one_list(self) -> None:
        asked = scope()
        asked["headers"] = [(b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-for", b"203.0.113.9")]
        assert find_address(asked, read_networks("192.0.2.1")) == "203.0.113.9"

    def test_an_unknown_peer_has_no_address(self) -> None:
        assert find_address({**scope(), "client": None}, ()) == ""

    @pytest.mark.parametrize(
        ("address", "key"),
        [
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("fe80::1%eth0", "fe80::/64"),
            ("not:an:address", "not:an:address"),
            ("", ""),
        ],
    )
    def test_one_subscriber_of_ipv6_is_one_caller(self, address: str, key: str) -> None:
        assert rate_key(address) == key

    def test_networks_are_read_and_nonsense_refused(self) -> None:
        assert len(read_networks(" 10.0.0.0/8, ::1 ,")) == 2
        with pytest.raises(SettingError, match="trusted_proxies"):
            read_networks("10.0.0.0/8, everyone")


async def _run(app_limits: Limits, asked: dict[str, Any], *bodies: bytes) -> bytes:
    """What the application behind the limits reads, when the client sends these chunks."""
    messages = [
        {"type": "http.request", "body": body, "more_body": i < len(bodies) - 1}
        for i, body in enumerate(bodies)
    ]

    async def receive() -> Any:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()

    async def send(message: Any) -> None: ...

    await app_limits(asked, receive, send)
    return b"".join(_read)


_read: list[bytes] = []


async def _reader(asked: Any, receive: Any, send: Any) -> None:
    _read.clear()
    while True:
        message = await receive()
        _read.append(message["body"])
        if not message["more_body"]:
            return


class TestBody:
    def test_a_body_within_the_limit_passes(self) -> None:
        guarded = Limits(_reader, limiter(sparql_body_bytes=10))
        assert asyncio.run(_run(guarded, scope(), b"12345", b"67890")) == b"1234567890"

    def test_a_body_is_refused_as_soon_as_it_is_too_long(self) -> None:
        guarded = Limits(_reader, limiter(sparql_body_bytes=10))
        with pytest.raises(PayloadTooLargeError) as caught:
            asyncio.run(_run(guarded, scope(), b"123456", b"789012", b"never read"))
        assert (caught.value.allowed, caught.value.actual) == (10, 12)

    def test_an_announced_length_is_refused_before_anything_is_read(self) -> None:
        guarded = Limits(_reader, limiter(graphql_body_bytes=10))
        with pytest.raises(PayloadTooLargeError) as caught:
            asyncio.run(_run(guarded, scope("/graphql", content_length="11")))
        assert caught.value.actual == 11

    def test_a_path_that_reads_no_body_has_a_small_limit(self) -> None:
        guarded = Limits(_reader, limiter())
        with pytest.raises(PayloadTooLargeError):
            asyncio.run(_run(guarded, scope("/"), b"x" * (limits.OTHER_BODY_BYTES + 1)))

    def test_a_trickling_body_is_given_up(self) -> None:
        async def trickle() -> None:
            async def receive() -> Any:
                await asyncio.sleep(0.02)
                return {"type": "http.request", "body": b"x", "more_body": True}

            async def send(message: Any) -> None: ...

            await Limits(_reader, limiter(body_deadline_s=0.1))(scope(), receive, send)

        with pytest.raises(SlowRequestError):
            asyncio.run(trickle())

    def test_after_the_body_only_the_news_that_the_client_left_is_awaited(self) -> None:
        seen = []

        async def app(asked: Any, receive: Any, send: Any) -> None:
            await receive()
            await asyncio.sleep(0.1)  # longer than the deadline of the body
            seen.append(await receive())

        async def run() -> None:
            messages = [
                {"type": "http.request", "body": b"", "more_body": False},
                {"type": "http.disconnect"},
            ]

            async def receive() -> Any:
                return messages.pop(0)

            async def send(message: Any) -> None: ...

            await Limits(app, limiter(body_deadline_s=0.05))(scope(), receive, send)

        asyncio.run(run())
        assert seen == [{"type": "http.disconnect"}]


class TestReceivingByADeadline:
    @staticmethod
    def receive(*waits_s: float) -> Any:
        async def receive() -> Any:
            for wait_s in waits_s:
                await asyncio.sleep(wait_s)
            return {"type": "http.request"}

        return receive

    @pytest.mark.parametrize("waits_s", [(), (0,), (0.01, 0, 0.01)])
    def test_what_comes_in_time_is_returned(self, waits_s: tuple[float, ...]) -> None:
        coming = receive_by(self.receive(*waits_s), time.monotonic() + 20)
        assert asyncio.run(coming) == {"type": "http.request"}

    def test_what_comes_late_is_not_waited_for(self) -> None:
        with pytest.raises(TimeoutError):
            asyncio.run(receive_by(self.receive(0.01, 60), time.monotonic() + 0.05))

    def test_an_error_of_the_server_is_passed_on(self) -> None:
        async def receive() -> Any:
            await asyncio.sleep(0)
            raise OSError("gone")

        with pytest.raises(OSError, match="gone"):
            asyncio.run(receive_by(receive, time.monotonic() + 20))

    def test_it_can_be_cancelled(self) -> None:
        async def run() -> None:
            task = asyncio.ensure_future(receive_by(self.receive(60), time.monotonic() + 60))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(run())


class TestRates:
    def test_api_and_pages_are_counted_apart_and_health_never(self) -> None:
        limited = limiter(rate_api=1, rate_pages=2)
        limited.take("/sparql", "a")
        with pytest.raises(RateLimitedError, match="rate_api"):
            limited.take("/graphql", "a")
        limited.take("/", "a")
        limited.take("/static/rhizome.css", "a")
        with pytest.raises(RateLimitedError, match="rate_pages"):
            limited.take("/", "a")
        for _ in range(10):
            limited.take("/health", "a")
            limited.take("/ready", "a")

    def test_the_address_is_set_for_all_behind(self) -> None:
        seen = []

        async def app(asked: Any, receive: Any, send: Any) -> None:
            seen.append(asked["client"])

        guarded = Limits(app, limiter(trusted_proxies="192.0.2.1"))
        asyncio.run(_run(guarded, scope(x_forwarded_for="203.0.113.9")))
        assert seen == [("203.0.113.9", 0)]

    def test_other_protocols_pass(self) -> None:
        seen = []

        async def app(asked: Any, receive: Any, send: Any) -> None:
            seen.append(asked["type"])

        asyncio.run(_run(Limits(app, limiter()), {"type": "lifespan"}))
        assert seen == ["lifespan"]


def request(address: str = "192.0.2.1") -> Request:
    return Request({**scope(), "client": (address, 0)})


class TestQueries:
    def test_seconds_are_charged_and_then_refused(self) -> None:
        async def run() -> None:
            limited = limiter(rate_query_s=2.0)
            for seconds in (1.5, 1.5):
                async with limited.query(request()) as use:
                    use.seconds = seconds
            with pytest.raises(RateLimitedError) as caught:
                async with limited.query(request()):
                    pass
            assert 25 < caught.value.retry_after_s <= 30
            async with limited.query(request("192.0.2.2")):
                pass

        asyncio.run(run())

    def test_time_is_charged_also_when_the_query_fails(self) -> None:
        async def run() -> float:
            limited = limiter(rate_query_s=0.05)

            async def fail() -> None:
                async with limited.query(request()):
                    await asyncio.sleep(0.1)
                    raise KeyError

            with pytest.raises(KeyError):
                await fail()
            return limited.query_s.wait_s("192.0.2.1", time.monotonic())

        assert asyncio.run(run()) > 0

    def test_an_address_runs_one_query_at_a_time(self) -> None:
        async def run() -> list[str]:
            limited = limiter(sparql_queue_s=0.2)
            events: list[str] = []

            async def ask(name: str, address: str, seconds: float) -> None:
                try:
                    async with limited.query(request(address)):
                        events.append(f"{name} begins")
                        await asyncio.sleep(seconds)
                        events.append(f"{name} ends")
                except RateLimitedError:
                    events.append(f"{name} refused")

            await asyncio.gather(
                ask("first", "192.0.2.1", 0.1),
                ask("second", "192.0.2.1", 0.25),
                ask("third", "192.0.2.1", 0.1),
                ask("other", "192.0.2.2", 0.01),
            )
            assert not limited._turns
            return events

        assert asyncio.run(run()) == [
            "first begins",
            "other begins",
            "other ends",
            "first ends",
            "second begins",
            "third refused",
            "second ends",
        ]

    def test_without_a_limit_nothing_is_kept(self) -> None:
        async def run() -> None:
            limited = limiter(rate_query_s=0.0)
            async with limited.query(request()), limited.query(request()):
                assert not limited._turns

        asyncio.run(run())

    def test_an_unknown_caller_is_one_caller(self) -> None:
        assert limits.address_of(SimpleNamespace(client=None, scope={})) == ""  # type: ignore[arg-type]
