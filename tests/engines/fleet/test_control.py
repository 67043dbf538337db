"""The control socket: a real server in a thread, real clients."""

import json
import selectors
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from engines.fleet import control, tcp
from engines.fleet.audit import READS, Peer
from engines.fleet.control import Op, Request, Server
from engines.fleet.status import Event
from engines.wire.errors import NautilusError, NotRunning, PortInUse, UnknownName

TOKEN = "a token of some length"


def answer(request: Request, who: Peer) -> object:
    if request.op == "restart":
        raise UnknownName("engine", "rsk", ["risk", "ml"])
    if request.op == "start":
        raise PortInUse("Port 1 is in use.", "pid 2 holds it.", "End it.")
    return {"op": request.op, "engines": request.engines, "who": who.text}


class Loop(threading.Thread):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.selector = selectors.DefaultSelector()
        door = tcp.door("127.0.0.1:0", TOKEN, {})
        assert door is not None
        self.address = door.listener.getsockname()
        self.now = 0.0
        self.heard: list[Event] = []
        self.server = Server(path, self.selector, answer, door, lambda: self.now, self.heard.append)
        self.ended = False
        self.todo: list[Event] = []

    def run(self) -> None:
        while not self.ended:
            for key, mask in self.selector.select(0.01):
                key.data(mask)
            while self.todo:
                self.server.publish(self.todo.pop(0))
        self.server.close()


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    running = Loop(tmp_path / "c.sock")
    running.start()
    yield running
    running.ended = True
    running.join(5)
    running.selector.close()


@pytest.fixture
def path(loop: Loop, tmp_path: Path) -> Path:
    return tmp_path / "c.sock"


def event(seq: int, detail: str = "") -> Event:
    return Event(seq=seq, elapsed_s=0.1, kind="unit", name="risk", state="ready", detail=detail)


def test_a_request_is_answered_and_says_who_asks(path: Path) -> None:
    said = control.call(path, Request(op="announce", engines=("risk",)), dict)
    assert said["engines"] == ["risk"] and said["who"].startswith("uid ")
    assert path.stat().st_mode & 0o777 == 0o600


def test_errors_keep_their_kind(path: Path) -> None:
    with pytest.raises(UnknownName) as unknown:
        control.call(path, Request(op="restart"), dict)
    assert unknown.value.next_step == "Did you mean 'risk'?"
    with pytest.raises(PortInUse) as taken:
        control.call(path, Request(op="start"), dict)
    assert (taken.value.why, taken.value.next_step) == ("pid 2 holds it.", "End it.")


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(NotRunning) as caught:
        control.call(tmp_path / "none", Request(op="status"), dict)
    assert "nautilus up" in caught.value.next_step
    stale = tmp_path / "stale"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(stale))
    with pytest.raises(NotRunning):
        control.call(stale, Request(op="status"), dict)


def raw(path: Path, *lines: bytes) -> list[dict[str, object]]:
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect(str(path))
        link.sendall(b"".join(lines))
        with link.makefile("rb") as answers:
            return [json.loads(answers.readline()) for _ in lines]


def test_nonsense_is_refused_and_the_next_line_is_served(path: Path) -> None:
    bad, unknown, good = raw(path, b"no json\n", b'{"op":"explode"}\n', b'{"op":"status"}\n')
    assert (bad["ok"], unknown["ok"], good["ok"]) == (False, False, True)


def test_another_protocol_may_look_and_stop_but_change_nothing_else(path: Path) -> None:
    status, stop, announce = raw(
        path, b'{"op":"status","protocol":99}\n', b'{"op":"stop","protocol":99}\n', b'{"op":"announce","protocol":99}\n'
    )
    assert status["ok"] and stop["ok"] and not announce["ok"]
    assert "nautilus down" in str(announce["error"])


def test_events_begin_with_what_was_missed_and_end_with_the_supervisor(loop: Loop, path: Path) -> None:
    loop.todo = [event(1), event(2)]
    while loop.todo:
        pass
    stream = control.events(path, since=1, timeout_s=5)
    assert next(stream).seq == 2
    loop.todo = [event(3)]
    assert next(stream).seq == 3
    loop.ended = True
    assert list(stream) == []


def test_a_subscriber_that_does_not_read_is_dropped_and_holds_up_nobody(loop: Loop, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as lazy:
        lazy.connect(str(path))
        lazy.sendall(b'{"op":"events"}\n')
        control.call(path, Request(op="status"), dict)
        loop.todo = [event(n, "x" * 100_000) for n in range(1, 80)]
        assert control.call(path, Request(op="status"), dict, timeout_s=5)["op"] == "status"
        lazy.settimeout(5)
        received = 0
        try:
            while data := lazy.recv(1 << 20):
                received += len(data)
        except ConnectionResetError:
            pass
    assert received < 79 * 100_000, "it was cut off"


def test_an_error_of_an_unknown_kind_is_still_one() -> None:
    assert type(control.Failure(kind="annotations", what="x").error()) is NautilusError


def over_tcp(loop: Loop, *lines: bytes) -> list[bytes]:
    with socket.create_connection(loop.address, 5) as link:
        link.sendall(b"".join(lines))
        with link.makefile("rb") as answers:
            return [answers.readline() for _ in lines]


def test_over_tcp_each_request_needs_the_token(loop: Loop) -> None:
    good = json.dumps({"op": "status", "token": TOKEN}).encode() + b"\n"
    first, second = over_tcp(loop, good, good)
    assert json.loads(first)["ok"] and json.loads(first)["result"]["who"].startswith("tcp 127.0.0.1:")
    assert json.loads(second)["ok"]
    for bad in (b'{"op":"status"}\n', b'{"op":"events"}\n', b'{"op":"stop","token":"%b"}\n' % TOKEN[:-1].encode()):
        refused, nothing = over_tcp(loop, bad, good)
        assert "token" in json.loads(refused)["error"]["what"] and TOKEN not in refused.decode()
        assert nothing == b"", "it was hung up on"


def test_the_unix_socket_needs_no_token(path: Path) -> None:
    assert raw(path, b'{"op":"status"}\n')[0]["ok"]


def test_a_request_without_end_is_cut_off(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect(str(path))
        try:
            link.sendall(b"x" * (2 * control.LONGEST))
            assert link.recv(100) == b""
        except (BrokenPipeError, ConnectionResetError):
            pass  # it hung up with bytes of ours unread
    assert raw(path, b'{"op":"status"}\n')[0]["ok"]


def test_so_many_are_served_and_the_silent_give_way(loop: Loop, path: Path) -> None:
    held: list[socket.socket] = []
    try:
        for _ in range(control.MOST):
            held.append(control._connect(path, 5.0))
        held[0].sendall(b'{"op":"events"}\n')
        held[1].sendall(b'{"op":"status"}\n')
        assert json.loads(held[1].recv(65_536))["ok"], "all are served"
        with socket.socket(socket.AF_UNIX) as late:
            late.settimeout(5)
            late.connect(str(path))
            assert "Too many" in json.loads(late.recv(65_536))["error"]["what"] and late.recv(1) == b""
        loop.now = control.IDLE_S + 1
        assert raw(path, b'{"op":"status"}\n')[0]["ok"], "the silent gave way"
        assert held[2].recv(1) == b""
        loop.todo = [event(1)]
        assert json.loads(held[0].recv(65_536))["seq"] == 1, "one that follows events is not idle"
    finally:
        for link in held:
            link.close()


def test_every_event_is_heard_inside_as_well(loop: Loop, path: Path) -> None:
    loop.todo = [event(1), event(2)]
    assert next(control.events(path, since=1, timeout_s=5)).seq == 2
    assert [each.seq for each in loop.heard] == [1, 2]


DOCUMENT = (Path(__file__).parents[3] / "docs/control.md").read_text("utf-8")


def test_the_document_has_every_operation_field_and_kind_of_event() -> None:
    table = DOCUMENT.partition("## Operations")[2].partition("\n## ")[0]
    assert all(f"| `{op}` |" in table for op in get_args(Op)), "a row for each"
    fields = DOCUMENT.partition("## Fields")[2].partition("\n## ")[0]
    assert all(f"| `{name}` |" in fields for name in Request.__struct_fields__)
    assert get_args(Op) and set(get_args(Op)) >= READS
    kinds = get_args(next(f.type for f in msgspec.structs.fields(Event) if f.name == "kind"))
    events = DOCUMENT.partition("## Events")[2].partition("\n## ")[0]
    assert all(f"`{kind}`" in events for kind in kinds)
    assert f"`protocol` | integer | the version that the client speaks; {control.PROTOCOL} today" in DOCUMENT
    assert f"{control.MOST} connections" in DOCUMENT and f"{control.LONGEST // 1024} KiB" in DOCUMENT
