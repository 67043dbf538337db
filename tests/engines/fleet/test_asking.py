"""Asking a foreign engine: what a reply says, and a real conversation over a loop that never waits."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.fleet.asking import Answered, Asking, judge, whole
from engines.wire.health import HealthRule

RULE = HealthRule(path="/h")
FIELD = HealthRule(path="/h", field="parts.0.ok", equals=True)


def reply(status: int, body: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("rule", "data", "says"),
    [
        (RULE, reply(200), Answered.WELL),
        (RULE, reply(204), Answered.WELL),
        (RULE, reply(503), Answered.UNWELL),
        (RULE, reply(302), Answered.UNWELL),
        (RULE, b"", Answered.SILENT),
        (RULE, b"SSH-2.0-x\r\n\r\n", Answered.SILENT),
        (FIELD, reply(200, '{"parts":[{"ok":true}]}'), Answered.WELL),
        (FIELD, reply(200, '{"parts":[{"ok":false}]}'), Answered.UNWELL),
        (FIELD, reply(200, '{"parts":[]}'), Answered.UNWELL),
        (FIELD, reply(200, "no json"), Answered.UNWELL),
        (FIELD, reply(500, '{"parts":[{"ok":true}]}'), Answered.UNWELL),
        (HealthRule(field="a", equals=None), reply(200, "{}"), Answered.UNWELL),
    ],
)
def test_what_a_reply_says(rule: HealthRule, data: bytes, says: Answered) -> None:
    assert judge(rule, data) is says


@given(st.binary(max_size=300))
def test_no_reply_breaks_it(data: bytes) -> None:
    judge(FIELD, data)
    judge(FIELD, b"HTTP/1.1 200 OK\r\n\r\n" + data)
    whole(data)


def test_whole_by_its_length() -> None:
    assert whole(reply(200, "abc")) and not whole(reply(200, "abc")[:-1])
    assert not whole(b"HTTP/1.1 200 OK\r\n\r\nabc"), "the connection's end says so"


@contextmanager
def server(*parts: bytes) -> Iterator[int]:
    """Says its parts to one client, one after the other, then hangs up; with none it never answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve() -> None:
        link, _ = listener.accept()
        with link:
            link.recv(4096)
            for part in parts:
                link.sendall(part)
            if not parts:
                done.wait(5)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    done.set()
    thread.join()
    listener.close()


def ask(port: int, rule: HealthRule, now: float = 0.0) -> Answered:
    asking = Asking("127.0.0.1", port, rule, now)
    while (answer := asking.go_on(now)) is None:
        pass
    return answer


def test_a_conversation() -> None:
    body = json.dumps({"parts": [{"ok": True}], "more": "x" * 200_000})
    data = reply(200, body)
    with server(data[:30], data[30:100_000], data[100_000:]) as port:
        assert ask(port, FIELD) is Answered.WELL


def test_a_reply_without_end_is_no_good_reply() -> None:
    with server(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 100_000] * 11) as port:
        assert ask(port, RULE) is Answered.UNWELL


def test_nobody_listens_and_nobody_answers() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert ask(probe.getsockname()[1], RULE) is Answered.SILENT
    with server() as port:
        asking = Asking("127.0.0.1", port, RULE, 10.0)
        assert asking.go_on(10.0) is None
        assert asking.go_on(10.0 + RULE.timeout_s) is Answered.SILENT
