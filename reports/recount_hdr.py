"""The second path to latency figures: an own reading of HDR histogram logs, sharing no code with the first.

Format: HdrHistogram V2 (compressed): cookie and length, then zlib over a 40-byte header and zigzag LEB128 counts in
which a negative number skips that many empty slots. Three digits and unit one, or the log is refused.
"""

import base64
import struct
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
_COMPRESSED, _PLAIN, _WORD_BITS = 0x1C849304, 0x1C849303, 0xF0
_MOST = 64 * 1024
"""More slots than the widest histogram of three digits has."""
_HEADER = struct.Struct(">IIIIQQd")


class HdrLogs:
    """The logs of one run folder, each decoded once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Counter[int] | None] = {}

    def counts(self, name: str) -> Counter[int] | None:
        """Counts by HDR slot of the log ``latency/...`` of that name; not to be changed.

        None: it is missing, cannot be decoded, or lies elsewhere.
        """
        if name not in self._known:
            own = name.startswith("latency/") and name.count("/") == 1
            self._known[name] = counts(self._folder / name) if own else None
        return self._known[name]


def counts(path: Path) -> Counter[int] | None:
    """Counts by HDR slot over all intervals of a log; None when it is missing or cannot be decoded."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        found = [_numbers(line.rsplit(",", 1)[-1]) for line in lines if not line.startswith(("#", '"'))]
    except (OSError, ValueError, struct.error, zlib.error):
        return None
    total = np.zeros(max((int(slots[-1]) + 1 for slots, _ in found if slots.size), default=0), np.int64)
    for slots, numbers in found:
        total[slots] += numbers
    held = np.flatnonzero(total)
    return Counter(dict(zip(held.tolist(), total[held].tolist(), strict=True)))


def add(total: Counter[int], more: Mapping[int, int]) -> None:
    """Add counts to a total, slot by slot."""
    known = total.get
    for slot, number in more.items():
        total[slot] = known(slot, 0) + number


def decode(text: str) -> dict[int, int]:
    """Counts by slot of one encoded histogram. Raises ValueError, struct.error or zlib.error on anything else."""
    slots, numbers = _numbers(text)
    return dict(zip(slots.tolist(), numbers.tolist(), strict=True))


def _numbers(text: str) -> tuple[Ints, Ints]:
    """Slots that hold something, ascending, and what they hold."""
    raw = base64.b64decode(text, validate=True)
    cookie, length = struct.unpack_from(">II", raw)
    if cookie & ~_WORD_BITS != _COMPRESSED or len(raw) < 8 + length:
        raise ValueError("no compressed HDR histogram")
    data = zlib.decompress(raw[8 : 8 + length])
    cookie, size, offset, digits, lowest, _, _ = _HEADER.unpack_from(data)
    if cookie & ~_WORD_BITS != _PLAIN or (offset, digits, lowest) != (0, 3, 1):
        raise ValueError("an HDR histogram of another kind")
    numbers = _zigzag(np.frombuffer(data[_HEADER.size : _HEADER.size + size], np.uint8))
    slots = np.cumsum(np.where(numbers < 0, -numbers, 1))  # the slot behind each number
    held = numbers > 0
    if slots.size and slots[-1] > _MOST:
        raise ValueError("slots beyond any value")
    return slots[held] - 1, numbers[held]


def _zigzag(data: NDArray[np.uint8]) -> Ints:
    """Zigzag LEB128 numbers of at most nine bytes, the ninth carrying eight bits."""
    last = data < 0x80
    place = np.arange(data.size)
    while True:
        begins = np.concatenate(([0], np.flatnonzero(last) + 1))
        begin = np.repeat(begins, np.diff(np.append(begins, max(data.size, begins[-1]))))
        ninth = (place - begin == 8) & ~last  # it ends its number whatever it holds
        if not ninth.any():
            break
        last |= ninth
    if data.size and not last[-1]:
        raise ValueError("a number is cut")
    within = (place - begin).astype(np.uint64)
    bits = np.where(within == 8, data, data & 0x7F).astype(np.uint64) << (np.uint64(7) * within)
    whole = np.add.reduceat(bits, begins[:-1]) if begins.size > 1 else bits
    found: Ints = (whole >> np.uint64(1)).astype(np.int64) ^ -(whole & np.uint64(1)).astype(np.int64)
    return found


def percentile(total: Counter[int], rank: float) -> float:
    """Highest value of the slot in which the rank (in per cent) falls."""
    return percentiles(total, [rank])[0]


def percentiles(total: Counter[int], ranks: Sequence[float]) -> list[float]:
    """The percentile of each rank; ranks ascend.  Raises ValueError on an empty histogram."""
    slots = sorted(total)
    if not slots:
        raise ValueError("an empty histogram has no percentile")
    everything = total.total()
    found: list[float] = []
    place, running = 0, total[slots[0]]
    for rank in ranks:
        wanted = max(1, int(rank * everything / 100.0 + 0.5))
        while running < wanted:
            place += 1
            running += total[slots[place]]
        low, width = _slot(slots[place])
        found.append(float(low + width - 1))
    return found


def mean(total: Counter[int]) -> float:
    """Mean of the slots' middle values."""
    weighted = 0
    for slot, count in total.items():
        low, width = _slot(slot)
        weighted += count * (low + width // 2)
    return weighted / total.total()


def _slot(index: int) -> tuple[int, int]:
    """Lowest value and width of a slot: 2048 single units, then 1024 slots for each doubling."""
    if index < 2048:
        return index, 1
    doubling = index // 1024 - 1
    return (index % 1024 + 1024) << doubling, 1 << doubling
