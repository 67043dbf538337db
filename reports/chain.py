"""The line format of ``history.jsonl``: ``crc prev json``, each CRC covering the line before through ``prev``.

CRC-32C (Castagnoli, RFC 3720 appendix B.4), eight lower-case hexadecimal digits. The first line's ``prev`` is zero.
The chain finds a torn or altered line and says where. It is no signature: who rewrites a line may rewrite the chain,
and then the sealed manifest tells.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import google_crc32c

GENESIS = "00000000"
HEAD = len(GENESIS) * 2 + 2
"""Bytes before the JSON of a line."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A line whose checksum and link hold."""

    number: int
    crc: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """The first line that does not hold; nothing behind it is trusted. ``tail`` when it is the file's last."""

    number: int
    why: str
    tail: bool


def link(previous: str, payload: bytes) -> tuple[str, bytes]:
    """The CRC and the line (with its newline) of ``payload``, the JSON of one record without newlines."""
    covered = previous.encode("ascii") + b" " + payload
    crc = f"{google_crc32c.value(covered):08x}"
    return crc, crc.encode("ascii") + b" " + covered + b"\n"


def walk(lines: Iterable[bytes]) -> Iterator[Whole | Broken]:
    """Check lines (each with its newline) in order; stop after the first that is broken."""
    previous = GENESIS
    pending = iter(lines)
    for number, line in enumerate(pending, start=1):
        why = _fault(line, previous)
        if why is not None:
            yield Broken(number, why, tail=next(pending, None) is None)
            return
        previous = line[: len(GENESIS)].decode("ascii")
        yield Whole(number, previous, line[HEAD:-1])


def _fault(line: bytes, previous: str) -> str | None:
    if not line.endswith(b"\n"):
        return "cut in mid-line"
    if len(line) <= HEAD + 1 or line[8:9] != b" " or line[17:18] != b" ":
        return "not of the form 'crc prev json'"
    if line[9:17] != previous.encode("ascii"):
        return "its link does not name the line before it"
    if line != link(previous, line[HEAD:-1])[1]:
        return "its checksum does not match"
    return None
