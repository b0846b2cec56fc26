"""How much one address may ask: bodies, requests and query time.

Floor 5. Rates are kept by the generic cell rate algorithm: one number an address and limit, the
time at which the address is even again, so that the exact wait is known and a query can be
charged after it ran (decision 0007). Behind trusted proxies the address is the one they report.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph.errors import PayloadTooLargeError, RateLimitedError, SettingError, SlowRequestError
from web.access import CALLER, REFUSED, TELLING_PATHS, identify
from web.receiving import receive_by

if TYPE_CHECKING:
    from graph.settings import Settings
    from graph.store.access_tokens import Tokens

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

CHANGES_PATH: Final = "/changes"
#: Paths of the API; all else are pages and assets. Health and readiness are never refused.
API_PATHS: Final = frozenset({"/graphql", "/sparql", "/export", "/report", CHANGES_PATH})
GRAPHS_PATH: Final = "/graphs"
EXPORTS_PATH: Final = "/export/"
#: Below it, each question is asked when it is looked at.
QUESTIONS_PATH: Final = "/questions/"
UNLIMITED_PATHS: Final = frozenset({"/health", "/ready"})
WINDOW_S: Final = 60.0
#: Bytes of a body where a path has no limit of its own: nothing reads one there.
OTHER_BODY_BYTES: Final = 64 * 1024
_ADDRESSES: Final = 100_000


def is_graph_store(path: str) -> bool:
    """Tell whether a path is that of a graph (Graph Store Protocol)."""
    return path == GRAPHS_PATH or path.startswith(f"{GRAPHS_PATH}/")


@dataclass(slots=True)
class Rate:
    """One limit: `allowance` units a minute, all of them at once if unused; 0 is no limit."""

    name: str
    allowance: float
    _even_at: dict[str, float] = field(default_factory=dict)

    def wait_s(self, address: str, now: float) -> float:
        """Return how long an address has to wait before it may ask; 0 when it may now."""
        return max(0.0, self._even_at.get(address, now) - now - WINDOW_S)

    def charge(self, address: str, units: float, now: float) -> None:
        """Note what an address used, also above its allowance."""
        if not self.allowance:
            return
        if len(self._even_at) >= _ADDRESSES:
            self._forget(now)
        even_at = max(now, self._even_at.get(address, now))
        self._even_at[address] = even_at + units * WINDOW_S / self.allowance

    def take(self, address: str, now: float) -> None:
        """Use one unit.

        Raises
        ------
        RateLimitedError
            The allowance is used up.
        """
        if not self.allowance:
            return
        # The next unit must fit as well: with an allowance of 1 the second one has to wait.
        wait_s = self._even_at.get(address, now) + WINDOW_S / self.allowance - now - WINDOW_S
        if wait_s > 1e-9:
            raise RateLimitedError(self.name, self.allowance, retry_after_s=wait_s)
        self.charge(address, 1, now)

    def _forget(self, now: float) -> None:
        """Drop the addresses that are even, and if all are in use, the ones that used least."""
        kept = {address: at for address, at in self._even_at.items() if at > now}
        if len(kept) >= _ADDRESSES:
            most_used = sorted(kept, key=kept.__getitem__, reverse=True)[: _ADDRESSES // 2]
            kept = {address: kept[address] for address in most_used}
        self._even_at = kept


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose use is counted: the key of a token, or of an address."""

    key: str
    has_token: bool


@dataclass(slots=True)
class Use:
    """What one query used: set `seconds` where waiting must not count; else it is all the time."""

    seconds: float | None = None


class Limiter:
    """The rates of one service and the queries that run now."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.proxies = read_networks(settings.trusted_proxies)
        self.api = Rate("rate_api", settings.rate_api)
        self.pages = Rate("rate_pages", settings.rate_pages)
        self.query_s = Rate("rate_query_s", settings.rate_query_s)
        self.token_api = Rate("rate_token_api", settings.rate_token_api)
        self.token_query_s = Rate("rate_token_query_s", settings.rate_token_query_s)
        self.tokens: Tokens | None = None  # None until the store is open
        self._turns: dict[str, _Turn] = {}

    def take(self, path: str, address: str) -> None:
        """Use one request of the rate that a path belongs to."""
        if path in UNLIMITED_PATHS:
            return
        is_api = path in API_PATHS or is_graph_store(path)
        is_api = is_api or path.startswith((QUESTIONS_PATH, EXPORTS_PATH))
        rate = self.api if is_api else self.pages
        rate.take(address, time.monotonic())

    def admit(self, scope: Scope, address: str) -> None:
        """Use one request of who asks: of a valid token its own rate, else of the address.

        Raises
        ------
        UnauthenticatedError
            A token was presented that is not valid; it counts for the address.
        RateLimitedError
            The allowance is used up.
        """
        path = scope["path"]
        tokens = None if path in UNLIMITED_PATHS else self.tokens
        if tokens is not None and identify(scope, tokens):
            self.token_api.take(scope[CALLER], time.monotonic())
            return
        self.take(path, address)
        if REFUSED in scope and path not in TELLING_PATHS:
            raise scope[REFUSED]

    def take_for(self, caller: Caller) -> None:
        """Use one request of who asks again on a connection that is open.

        Raises
        ------
        RateLimitedError
            The allowance is used up.
        """
        rate = self.token_api if caller.has_token else self.api
        rate.take(caller.key, time.monotonic())

    def wait_s(self, caller: Caller) -> float:
        """Return how long who is told of changes has to wait for query time; 0 for none."""
        rate = self.token_query_s if caller.has_token else self.query_s
        return rate.wait_s(caller.key, time.monotonic()) if rate.allowance else 0.0

    def require_time(self, caller: Caller) -> None:
        """Refuse who used the query time up.

        Raises
        ------
        RateLimitedError
        """
        rate = self.token_query_s if caller.has_token else self.query_s
        if (wait_s := self.wait_s(caller)) > 0:
            raise RateLimitedError(rate.name, rate.allowance, retry_after_s=wait_s)

    def charge(self, caller: Caller, seconds: float) -> None:
        """Note the query time that was used for a caller."""
        rate = self.token_query_s if caller.has_token else self.query_s
        rate.charge(caller.key, seconds, time.monotonic())

    @asynccontextmanager
    async def query(self, request: Request) -> AsyncIterator[Use]:
        """Run a query: one at a time for an address, its seconds charged when it ends.

        Raises
        ------
        RateLimitedError
            The address used its query time up, or its last query still runs.
        """
        use = Use()
        rate = self.token_query_s if CALLER in request.scope else self.query_s
        if not rate.allowance:
            yield use
            return
        address = address_of(request)
        wait_s = rate.wait_s(address, time.monotonic())
        if wait_s > 0:
            raise RateLimitedError(rate.name, rate.allowance, retry_after_s=wait_s)
        async with self._turn(address):
            started = time.monotonic()
            try:
                yield use
            finally:
                now = time.monotonic()
                seconds = now - started if use.seconds is None else use.seconds
                rate.charge(address, seconds, now)

    def charge_stream(self, request: Request, seconds: float) -> None:
        """Note the time that went into a streamed answer, at most a whole allowance."""
        rate = self.token_query_s if CALLER in request.scope else self.query_s
        if rate.allowance:
            most = min(seconds, rate.allowance)
            rate.charge(address_of(request), most, time.monotonic())

    @asynccontextmanager
    async def _turn(self, address: str) -> AsyncIterator[None]:
        """Wait a moment for the address's other query to end."""
        turn = self._turns.setdefault(address, _Turn())
        turn.users += 1
        try:
            try:
                async with asyncio.timeout(self.settings.sparql_queue_s):
                    await turn.lock.acquire()
            except TimeoutError:
                raise RateLimitedError("queries at once", 1, 2) from None
            try:
                yield
            finally:
                turn.lock.release()
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[address]


@dataclass(slots=True)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Limits:
    """ASGI middleware: the caller's address, the rate of the path, the size of the body."""

    def __init__(self, app: ASGIApp, limiter: Limiter) -> None:
        self.app = app
        self.limiter = limiter
        settings = limiter.settings
        self.body_bytes = {
            "/graphql": settings.graphql_body_bytes,
            "/sparql": settings.sparql_body_bytes,
        }
        self.upload_bytes = settings.upload_bytes
        self.body_deadline_s = settings.body_deadline_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what is over a limit, and pass on the rest."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        address = find_address(scope, self.limiter.proxies)
        scope["client"] = (address, 0)
        self.limiter.admit(scope, rate_key(address))
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        allowed = self.body_bytes.get(scope["path"], OTHER_BODY_BYTES)
        if is_graph_store(scope["path"]):
            allowed = self.upload_bytes
        await self.app(scope, self._bounded(receive, scope, allowed), send)

    def _bounded(self, receive: Receive, scope: Scope, allowed: int) -> Receive:
        """Return a `receive` that refuses a body too long, announced or sent, or too slow."""
        announced = next((v for name, v in scope["headers"] if name == b"content-length"), b"")
        if announced.isdigit() and int(announced) > allowed:
            raise PayloadTooLargeError("body", allowed, int(announced), scope["path"])
        size, is_whole = 0, False
        deadline = time.monotonic() + self.body_deadline_s

        async def bounded() -> Message:
            nonlocal size, is_whole
            if is_whole:  # only the news that the client left can come
                return await receive()
            try:
                message = await receive_by(receive, deadline)
            except TimeoutError:
                raise SlowRequestError(self.body_deadline_s) from None
            size += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if size > allowed:
                raise PayloadTooLargeError("body", allowed, size, scope["path"])
            return message

        return bounded


def address_of(request: Request) -> str:
    """Return the key under which the caller's use is counted."""
    caller: str | None = request.scope.get(CALLER)
    return caller or rate_key(request.client.host if request.client else "")


def rate_key(address: str) -> str:
    """Return what counts as one caller: an IPv4 address, or an IPv6 network of 64 bits.

    Examples
    --------
    >>> rate_key("2001:db8:1:2:3:4:5:6")
    '2001:db8:1:2::/64'
    """
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False))


def find_address(scope: Scope, proxies: Iterable[Network]) -> str:
    """Return the address of the caller.

    Without trusted proxies it is the peer's. A trusted peer's X-Forwarded-For is read from the
    right, and the first address that is not a trusted proxy is the caller's: what stands to the
    left of it anyone may have written.
    """
    client = scope.get("client")
    address: str = client[0] if client else ""
    proxies = tuple(proxies)
    if not proxies or not is_in(address, proxies):
        return address
    forwarded = [v.decode("latin-1") for name, v in scope["headers"] if name == b"x-forwarded-for"]
    for hop in reversed(",".join(forwarded).split(",")):
        hop = _bare(hop)
        if not hop:
            break
        address = hop
        if not is_in(hop, proxies):
            break
    return address


def read_networks(text: str) -> tuple[Network, ...]:
    """Return the networks of a list of addresses and CIDR blocks separated by commas.

    Raises
    ------
    SettingError
        One of them is neither.
    """
    networks = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            networks.append(ipaddress.ip_network(part, strict=False))
        except ValueError:
            raise SettingError("trusted_proxies", part, "an address or CIDR block") from None
    return tuple(networks)


def is_in(address: str, networks: tuple[Network, ...]) -> bool:
    """Tell whether an address is in one of the networks."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in networks)


def _bare(hop: str) -> str:
    """The address in one item of X-Forwarded-For, without port; empty if it is none."""
    hop = hop.strip()
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        return str(ipaddress.ip_address(hop))
    except ValueError:
        return ""
