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


def walk(lines: Iterable[bytes]) -> Iterator[bytes | Broken]:
    """The JSON of each line (given with its newline) in order; after the first that is broken, that and no more."""
    named = b" " + GENESIS.encode("ascii") + b" "
    checksum = google_crc32c.value
    pending = iter(lines)
    for number, line in enumerate(pending, start=1):
        crc = line[:8]
        whole = (
            line.startswith(named, 8)
            and line.endswith(b"\n")
            and len(line) > HEAD + 1
            and b"%08x" % checksum(line[9:-1]) == crc
        )
        if not whole:
            yield Broken(number, _fault(line, named[1:-1]), tail=next(pending, None) is None)
            return
        named = b" %b " % crc
        yield line[HEAD:-1]


def _fault(line: bytes, previous: bytes) -> str:
    """Why a line does not hold."""
    if not line.endswith(b"\n"):
        return "cut in mid-line"
    if len(line) <= HEAD + 1 or line[8:9] != b" " or line[17:18] != b" ":
        return "not of the form 'crc prev json'"
    if line[9:17] != previous:
        return "its link does not name the line before it"
    return "its checksum does not match"
