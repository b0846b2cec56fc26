from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import uvicorn

from graph.settings import Settings
from web.protocol import bounded_protocol


async def _app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the number of bytes of the body; some paths break rules or send in parts."""
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    match scope["path"]:
        case "/split":
            headers.append((b"x-name", b"value\r\nx-other: 1"))
        case "/parts":
            headers = []
        case "/closing":
            headers.append((b"connection", b"close"))
        case "/wrong":
            headers = [(b"content-length", b"9")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    match scope["path"]:
        case "/nothing":
            return
        case "/bug":
            raise RuntimeError("after the head")
        case "/parts":
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
    await send({"type": "http.response.body", "body": body})


class Running:
    def __init__(self, **settings: Any) -> None:
        self.settings = Settings.from_environment({}, **settings)
        self.protocol = bounded_protocol(self.settings)
        config = uvicorn.Config(
            _app,
            http=self.protocol,
            ws="none",
            lifespan="off",
            port=0,
            access_log=False,
            log_config=None,
            timeout_keep_alive=2,
            timeout_graceful_shutdown=1,
        )
        self.server = uvicorn.Server(config)
        self.socket = config.bind_socket()
        self.address = self.socket.getsockname()
        self.thread = threading.Thread(target=self.server.run, args=([self.socket],))
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def connect(self) -> closing[socket.socket]:
        connection = socket.create_connection(self.address, timeout=10)
        return closing(connection)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()
        self.socket.close()


Start = Callable[..., Running]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[Running] = []

    def make(**settings: Any) -> Running:
        running.append(Running(**settings))
        return running[-1]

    yield make
    for one in running:
        one.stop()


def read_answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One answer: status, headers, body (until its length or the end)."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return 0, {}, data
        data += piece
    head, body = data.split(b"\r\n\r\n", 1)
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    while len(body) < int(headers.get("content-length", "0")):
        piece = connection.recv(65536)
        if not piece:
            break
        body += piece
    return int(first.split()[1]), headers, body


def read_problem(connection: socket.socket) -> dict[str, Any]:
    status, headers, body = read_answer(connection)
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert headers["x-content-type-options"] == "nosniff"
    problem: dict[str, Any] = json.loads(body)
    assert problem["status"] == status
    return problem


GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


def test_requests_are_answered_one_after_the_other_and_pipelined(start: Start) -> None:
    running = start()
    with running.connect() as c:
        for _ in range(3):
            c.sendall(GET)
            assert read_answer(c)[0] == 200
        c.sendall(GET + GET)
        data = b""
        while data.count(b"200 OK") < 2:
            data += c.recv(65536)


def test_a_body_much_larger_than_the_head_s_limit_is_no_head(start: Start) -> None:
    running = start(header_bytes=1000)
    with running.connect() as c:
        body = b"x" * 200_000
        request = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n" + body
        c.sendall(request + GET[:10])
        assert read_answer(c)[2] == b"200000"
        c.sendall(GET[10:])
        assert read_answer(c)[0] == 200


@pytest.mark.parametrize("size", [2_000, 60_000, 1_000_000])
def test_a_head_over_its_limit_is_431_whether_whole_or_growing(start: Start, size: int) -> None:
    running = start(header_bytes=1000)
    for end in (b"\r\n\r\n", b""):
        with running.connect() as c:
            head = b"GET / HTTP/1.1\r\nHost: h\r\nX-Long: " + b"x" * size + end
            try:
                c.sendall(head[:500])
                time.sleep(0.05)
                c.sendall(head[500:])
                problem = read_problem(c)
            except (ConnectionResetError, BrokenPipeError):
                # The refusal came while we still sent: seen only where the rest fits no buffer.
                assert size == 1_000_000
                continue
        assert (problem["status"], problem["code"]) == (431, "HEADERS_LIMIT")
        assert problem["allowed"] == 1000
    with running.connect() as c:
        c.sendall(GET)
        assert read_answer(c)[0] == 200


def test_many_small_headers_and_a_long_path_are_a_large_head_too(start: Start) -> None:
    running = start(header_bytes=5_000)
    with running.connect() as c:
        c.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n" + b"a: b\r\n" * 1_000 + b"\r\n")
        assert read_problem(c)["code"] == "HEADERS_LIMIT"
    with running.connect() as c:
        c.sendall(b"GET /" + b"x" * 5_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n")
        assert read_problem(c)["code"] == "HEADERS_LIMIT"


@pytest.mark.parametrize(
    "text",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nbad header\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: h\r\n\r\n",
        b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nxxxx",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS spoken to a plain port
    ],
)
def test_what_is_no_request_is_400_and_the_server_goes_on(start: Start, text: bytes) -> None:
    running = start()
    with running.connect() as c:
        c.sendall(text)
        problem = read_problem(c)
        assert (problem["status"], problem["code"]) == (400, "BAD_VALUE")
        assert c.recv(100) == b""
    with running.connect() as c:
        c.sendall(GET)
        assert read_answer(c)[0] == 200


def test_a_client_of_http_1_0_need_not_name_a_host(start: Start) -> None:
    with start().connect() as c:
        c.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_answer(c)[0] == 200


def test_a_short_answer_comes_in_one_piece(start: Start) -> None:
    running = start()
    with running.connect() as c:
        for _ in range(5):
            c.sendall(GET)
            piece = c.recv(65536)
            assert piece.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
            assert piece.endswith(b"content-length: 1\r\n\r\n0")


def test_a_head_in_pieces_is_measured_whole(start: Start) -> None:
    running = start(header_bytes=4_000)
    with running.connect() as c:
        head = GET[:-2] + b"X: " + b"x" * 3_900
        c.sendall(head)
        time.sleep(0.1)
        c.sendall(b"y" * 200 + b"\r\n\r\n")
        assert read_problem(c)["status"] == 431


def test_an_answer_in_parts_is_chunked(start: Start) -> None:
    running = start()
    with running.connect() as c:
        c.sendall(GET.replace(b"/ ", b"/parts ", 1))
        data = b""
        while not data.endswith(b"0\r\n\r\n"):
            data += c.recv(65536)
        assert b"transfer-encoding: chunked" in data
        assert data.endswith(b"\r\n\r\n1\r\na\r\n1\r\n0\r\n0\r\n\r\n")
        c.sendall(GET)
        assert read_answer(c)[0] == 200


def test_an_answer_to_head_has_no_body(start: Start) -> None:
    running = start()
    with running.connect() as c:
        c.sendall(GET.replace(b"GET", b"HEAD", 1) + GET)
        data = b""
        while data.count(b"HTTP/1.1 200") < 2 or not data.endswith(b"\r\n\r\n0"):
            data += c.recv(65536)
        assert data.count(b"\r\n\r\n0") == 1


def test_a_client_that_asks_first_is_told_to_go_on(start: Start) -> None:
    running = start()
    with running.connect() as c:
        head = b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        c.sendall(head)
        assert c.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        c.sendall(b"xyz")
        assert read_answer(c)[2] == b"3"


@pytest.mark.parametrize("path", [b"/closing", b"/nothing", b"/bug", b"/split", b"/wrong"])
def test_what_cannot_go_as_one_goes_as_uvicorn_sends_it(start: Start, path: bytes) -> None:
    running = start()
    with running.connect() as c:
        c.sendall(GET.replace(b"/ ", path + b" ", 1))
        status, headers, body = read_answer(c)
        assert b"x-other" not in body
        assert "x-other" not in headers
        if path == b"/closing":
            assert (status, headers["connection"], body) == (200, "close", b"0")
        elif path in (b"/nothing", b"/bug"):
            assert (status, body) == (500, b"Internal Server Error")
        else:  # what is broken is broken off
            assert len(body) < int(headers.get("content-length", "1"))
        assert is_closed(c) or path == b"/nothing"


def test_an_unfinished_head_is_given_up_at_the_deadline(start: Start) -> None:
    running = start(header_deadline_s=0.3)
    with running.connect() as c:
        started = time.monotonic()
        c.sendall(GET[:-2])
        for _ in range(5):  # a slow loris puts nothing off
            time.sleep(0.05)
            c.sendall(b"X: y\r\n")
        problem = read_problem(c)
        assert (problem["status"], problem["code"]) == (408, "REQUEST_TIMEOUT")
        assert 0.2 < time.monotonic() - started < 10


@pytest.mark.parametrize("first", [b"", b"\r\n"])
def test_a_connection_that_asks_nothing_is_closed_at_the_deadline(
    start: Start, first: bytes
) -> None:
    running = start(header_deadline_s=0.3)
    with running.connect() as c:
        started = time.monotonic()
        c.sendall(first)
        assert c.recv(100) == b""
        assert time.monotonic() - started < 10


def test_blank_lines_do_not_keep_an_idle_connection_open(start: Start) -> None:
    running = start(header_deadline_s=0.3)
    with running.connect() as c:
        c.sendall(GET)
        read_answer(c)
        started = time.monotonic()
        while not is_closed(c):
            assert time.monotonic() - started < 10
            time.sleep(0.05)


def test_a_connection_is_kept_after_each_answer_and_ends_when_nothing_is_asked(
    start: Start,
) -> None:
    running = start()  # kept for two seconds
    with running.connect() as c:
        for _ in range(4):
            c.sendall(GET)
            assert read_answer(c)[0] == 200
            time.sleep(0.7)
        assert c.recv(1) == b""


def test_a_slow_answer_is_not_cut_by_the_head_s_deadline(start: Start) -> None:
    running = start(header_deadline_s=0.2)
    with running.connect() as c:
        c.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n")
        for _ in range(4):
            time.sleep(0.15)
            c.sendall(b"x")
        assert read_answer(c)[2] == b"4"


def test_half_open_heads_hold_up_nobody_else(start: Start) -> None:
    running = start(header_deadline_s=3.0, connections_per_address=100)
    slow = [socket.create_connection(running.address) for _ in range(60)]
    for connection in slow:
        connection.sendall(GET[:10])
    with running.connect() as c:
        started = time.monotonic()
        c.sendall(GET)
        assert read_answer(c)[0] == 200
        assert time.monotonic() - started < 2
    for connection in slow:
        connection.settimeout(20)
        assert b"408" in connection.recv(1000)
        connection.close()
    wait_until(lambda: not running.protocol.open_connections)


def test_connections_of_an_address_are_bounded(start: Start) -> None:
    running = start(connections_per_address=2)
    first, second = (socket.create_connection(running.address) for _ in range(2))
    first.sendall(GET)
    assert read_answer(first)[0] == 200
    with running.connect() as third:
        problem = read_problem(third)
        assert (problem["status"], problem["limit"]) == (429, "connections_per_address")
    second.close()
    wait_until(lambda: running.protocol.open_connections.total() == 1)
    with running.connect() as fourth:
        fourth.sendall(GET)
        assert read_answer(fourth)[0] == 200
    first.close()


def test_connections_in_all_are_bounded(start: Start) -> None:
    running = start(connections=1)
    with running.connect() as first:
        first.sendall(GET)
        read_answer(first)
        with running.connect() as second:
            assert read_problem(second)["code"] == "STORE_UNAVAILABLE"


def test_a_trusted_proxy_may_hold_many_connections(start: Start) -> None:
    running = start(connections_per_address=1, trusted_proxies="127.0.0.0/8")
    held = [socket.create_connection(running.address) for _ in range(5)]
    for connection in held:
        connection.sendall(GET)
        assert read_answer(connection)[0] == 200
        connection.close()


def test_servers_count_apart(start: Start) -> None:
    one, other = start(connections_per_address=1), start(connections_per_address=1)
    with one.connect() as a, other.connect() as b:
        for connection in (a, b):
            connection.sendall(GET)
            assert read_answer(connection)[0] == 200


def is_closed(connection: socket.socket) -> bool:
    """Whether the server has closed the connection; a blank line is sent to find out."""
    connection.settimeout(0.01)
    try:
        connection.sendall(b"\r\n")
        return connection.recv(10) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
