"""The second path to latency figures: an own reading of HDR histogram logs, sharing no code with the first.

Format: HdrHistogram V2 (compressed): cookie and length, then zlib over a 40-byte header and zigzag LEB128 counts in
which a negative number skips that many empty slots. Three digits and unit one, or the log is refused.
"""

import base64
import struct
import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

_COMPRESSED, _PLAIN, _WORD_BITS = 0x1C849304, 0x1C849303, 0xF0
_HEADER = struct.Struct(">IIIIQQd")


class HdrLogs:
    """The logs of one run folder, each decoded once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Counter[int] | None] = {}

    def counts(self, name: str) -> Counter[int] | None:
        """Counts by HDR slot of the log of that name; not to be changed.  None: missing or cannot be decoded."""
        if name not in self._known:
            self._known[name] = counts(self._folder / name)
        return self._known[name]


def counts(path: Path) -> Counter[int] | None:
    """Counts by HDR slot over all intervals of a log; None when it is missing or cannot be decoded."""
    total: Counter[int] = Counter()
    try:
        for line in path.read_text(encoding="ascii").splitlines():
            if not line.startswith(("#", '"')):
                total.update(decode(line.rsplit(",", 1)[-1]))
    except (OSError, ValueError, struct.error, zlib.error):
        return None
    return total


def decode(text: str) -> dict[int, int]:
    """Counts by slot of one encoded histogram. Raises ValueError, struct.error or zlib.error on anything else."""
    raw = base64.b64decode(text, validate=True)
    cookie, length = struct.unpack_from(">II", raw)
    if cookie & ~_WORD_BITS != _COMPRESSED or len(raw) < 8 + length:
        raise ValueError("no compressed HDR histogram")
    data = zlib.decompress(raw[8 : 8 + length])
    cookie, size, offset, digits, lowest, _, _ = _HEADER.unpack_from(data)
    if cookie & ~_WORD_BITS != _PLAIN or (offset, digits, lowest) != (0, 3, 1):
        raise ValueError("an HDR histogram of another kind")
    found: dict[int, int] = {}
    slot = 0
    for number in _zigzag(data[_HEADER.size : _HEADER.size + size]):
        if number < 0:
            slot -= number
        else:
            if number:
                found[slot] = number
            slot += 1
    return found


def percentile(total: Counter[int], rank: float) -> float:
    """Highest value of the slot in which the rank (in per cent) falls."""
    wanted = max(1, int(rank * total.total() / 100.0 + 0.5))
    running = 0
    for slot in sorted(total):
        running += total[slot]
        if running >= wanted:
            low, width = _slot(slot)
            return float(low + width - 1)
    raise ValueError("an empty histogram has no percentile")


def mean(total: Counter[int]) -> float:
    """Mean of the slots' middle values."""
    middles = ((count, *_slot(slot)) for slot, count in total.items())
    return sum(count * (low + width // 2) for count, low, width in middles) / total.total()


def _slot(index: int) -> tuple[int, int]:
    """Lowest value and width of a slot: 2048 single units, then 1024 slots for each doubling."""
    if index < 2048:
        return index, 1
    doubling = index // 1024 - 1
    return (index % 1024 + 1024) * 2**doubling, 2**doubling


def _zigzag(data: bytes) -> Iterable[int]:
    """Zigzag LEB128 numbers of at most nine bytes, the ninth carrying eight bits."""
    number = shift = 0
    for byte in data:
        last = shift == 56
        number |= (byte if last else byte & 0x7F) << shift
        shift += 7
        if last or byte < 0x80:
            yield (number >> 1) ^ -(number & 1)
            number = shift = 0
    if shift:
        raise ValueError("a number is cut")
