"""The compiled reply scanner against httptools (llhttp), over every way of splitting a reply."""

import sys

import httptools
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if sys.platform != "linux":
    pytest.skip("the scanner belongs to the epoll generator", allow_module_level=True)

from stress.load import layout, replies


class Oracle:
    """What httptools makes of a reply."""

    def __init__(self, raw: bytes) -> None:
        self.ended = self.closing = False
        self.parser = httptools.HttpResponseParser(self)
        self.parser.feed_data(raw)

    def on_message_complete(self) -> None:
        self.ended = True
        self.closing = not self.parser.should_keep_alive()


def scan(raw: bytes, cuts: list[int]) -> tuple[int, bool, int]:
    """Status, closing and the number of bytes at which the reply ended (-1: it did not), fed in pieces."""
    record = np.zeros(1, dtype=layout.CONNECTION)
    conn = record[0]
    row = np.frombuffer(raw, dtype=np.uint8)
    start = -1
    for got in [*sorted(cuts), len(raw)]:
        fresh = start
        if start < 0:
            fresh = start = replies.read_head(row, got, conn)
            if start == layout.MALFORMED:
                return -1, False, -1
        if start < 0 or fresh >= got:
            ended = start >= 0 and conn["body"] == layout.LENGTH and conn["left"] == 0
        elif conn["body"] == layout.LENGTH:
            conn["left"] -= got - start
            start = got
            ended = conn["left"] <= 0
        else:
            ended = conn["body"] == layout.CHUNKED and replies.read_chunks(row, start, got, conn)
            start = got
        if ended:
            return int(conn["status"]), bool(conn["closing"]), got
    return int(conn["status"]), bool(conn["closing"]), -1


bodies = st.lists(st.binary(min_size=1, max_size=300), max_size=4)
names = st.sampled_from([b"Content-Type: text/plain", b"X-C: content-length: 7", b"connection: keep-alive", b"T: c"])


@settings(deadline=None, max_examples=300)
@given(
    body=bodies,
    status=st.sampled_from([200, 201, 404, 503]),
    chunked=st.booleans(),
    close=st.booleans(),
    lines=st.lists(names, max_size=3),
    cuts=st.lists(st.integers(1, 400), max_size=4),
    upper=st.booleans(),
)
def test_the_end_is_found_where_httptools_finds_it(
    body: list[bytes], status: int, chunked: bool, close: bool, lines: list[bytes], cuts: list[int], upper: bool
) -> None:
    head = [*lines, *([b"Connection: close"] if close else [])]
    if chunked:
        head.append(b"Transfer-Encoding: chunked")
        data = b"".join(b"%X\r\n%s\r\n" % (len(part), part) for part in body) + b"0\r\n\r\n"
    else:
        data = b"".join(body)
        head.append(b"Content-Length: %d" % len(data))
    head = [line.upper() for line in head] if upper else head
    raw = b"HTTP/1.1 %d Word\r\n" % status + b"".join(line + b"\r\n" for line in head) + b"\r\n" + data
    cuts = [cut for cut in cuts if cut < len(raw)]
    found_status, closing, end = scan(raw, cuts)
    oracle = Oracle(raw)
    assert oracle.ended
    assert (found_status, closing) == (oracle.parser.get_status_code(), oracle.closing)
    assert end == len(raw)
    assert scan(raw[:-1], [cut for cut in cuts if cut < len(raw) - 1])[2] == -1  # a byte short is not whole


@pytest.mark.parametrize("raw", [b"SSH-2.0-OpenSSH_9.2p1 Debian", b"\x00" * 40, b"HTTP-1.1.200 fine \r\n\r\n"])
def test_what_is_not_http_is_malformed(raw: bytes) -> None:
    assert scan(raw, []) == (-1, False, -1)


def test_replies_without_a_body_end_with_their_head() -> None:
    raw = b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n"
    assert scan(raw, []) == (204, False, len(raw))


def test_a_changed_source_changes_the_type_of_the_loop_record() -> None:
    assert layout.LOOP.names is not None
    assert layout.LOOP.names[-1] == f"sources_{layout.FINGERPRINT:08x}"
