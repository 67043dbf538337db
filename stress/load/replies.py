"""Where an HTTP/1.1 reply ends (RFC 9112), compiled.  Pure: bytes in, marks on the connection's record out."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stress.load.layout import (
    CHUNK_DATA,
    CHUNK_END,
    CHUNK_LINE,
    CHUNK_SIZE,
    CHUNKED,
    HEAD,
    INCOMPLETE,
    LENGTH,
    MALFORMED,
    TRAILER,
    TRAILER_LINE,
    UNTIL_CLOSE,
    kernel,
)

CONTENT_LENGTH = np.frombuffer(b"content-length:", dtype=np.uint8)
CONNECTION_CLOSE = np.frombuffer(b"connection: close", dtype=np.uint8)
TRANSFER_CHUNKED = np.frombuffer(b"transfer-encoding: chunked", dtype=np.uint8)


class Reply(Protocol):
    """The fields of a CONNECTION record that follow a reply."""

    status: int
    body: int
    chunk: int
    left: int
    closing: int


@kernel
def starts_with(row: NDArray[np.uint8], start: int, end: int, text: NDArray[np.uint8]) -> bool:
    """Without regard to case; `text` is in lower case."""
    if end - start < len(text):
        return False
    for k in range(len(text)):
        byte = row[start + k]
        if 65 <= byte <= 90:
            byte += 32
        if byte != text[k]:
            return False
    return True


@kernel
def read_header(row: NDArray[np.uint8], start: int, end: int, conn: Reply) -> None:
    """Note what one header line says about the reply's end."""
    first = row[start] | 32
    if first == 99:  # c
        if starts_with(row, start, end, CONTENT_LENGTH):
            conn.body, conn.left = LENGTH, 0
            for k in range(start + len(CONTENT_LENGTH), end):
                if 48 <= row[k] <= 57:
                    conn.left = conn.left * 10 + row[k] - 48
        elif starts_with(row, start, end, CONNECTION_CLOSE):
            conn.closing = 1
    elif first == 116 and starts_with(row, start, end, TRANSFER_CHUNKED):  # t
        conn.body, conn.chunk, conn.left = CHUNKED, CHUNK_SIZE, 0


@kernel
def read_head(row: NDArray[np.uint8], got: int, conn: Reply) -> int:
    """Where the body starts, INCOMPLETE or MALFORMED.  Sets status, body and left."""
    if got < 16:
        return INCOMPLETE
    if row[0] != 72 or row[1] != 84 or row[4] != 47 or row[8] != 32:  # HT..P/1.1 and a space
        return MALFORMED
    conn.status = (row[9] - 48) * 100 + (row[10] - 48) * 10 + row[11] - 48
    conn.body = UNTIL_CLOSE
    if row[7] == 48:  # HTTP/1.0
        conn.closing = 1
    start = 0
    for k in range(12, got):
        if row[k] != 10:
            continue
        if k - start <= 1:  # an empty line
            if conn.status in (204, 304):
                conn.body, conn.left = LENGTH, 0
            return k + 1
        if start > 0:
            read_header(row, start, k, conn)
        start = k + 1
    conn.body = HEAD
    return INCOMPLETE


@kernel
def read_chunks(row: NDArray[np.uint8], start: int, end: int, conn: Reply) -> bool:
    """Walk a chunked body (RFC 9112, 7.1); whether it has ended."""
    k = start
    while k < end:
        if conn.chunk == CHUNK_DATA:
            step = min(conn.left, end - k)
            conn.left -= step
            k += step
            if conn.left == 0:
                conn.chunk = CHUNK_END
            continue
        byte = row[k]
        k += 1
        if conn.chunk == CHUNK_SIZE and byte != 10:
            digit = byte - 48 if byte < 58 else (byte | 32) - 87
            if 0 <= digit < 16:
                conn.left = conn.left * 16 + digit
            else:
                conn.chunk = CHUNK_LINE
        elif conn.chunk <= CHUNK_LINE and byte == 10:
            conn.chunk = CHUNK_DATA if conn.left > 0 else TRAILER
        elif conn.chunk == CHUNK_END and byte == 10:
            conn.chunk = CHUNK_SIZE
        elif conn.chunk == TRAILER and byte == 10:
            return True
        elif conn.chunk == TRAILER and byte != 13:
            conn.chunk = TRAILER_LINE
        elif conn.chunk == TRAILER_LINE and byte == 10:
            conn.chunk = TRAILER
    return False
