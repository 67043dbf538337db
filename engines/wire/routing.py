"""Which device computes a kernel of a given size: what `nautilus profile` measured on this machine, and nothing else.

`<home>/profile.json` holds the times; an engine reads it once and routes among the devices that it implements.  Without
a profile, with one of another machine or of other versions of the libraries, everything is computed with numpy.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from engines.wire import machine

FILE = "profile.json"
SCHEMA = "nautilus.profile/1"
BASELINE = "numpy"
MARGIN = 1.1  # by so much a device must beat numpy: less is within the noise of a machine at work
NEXT = "nautilus profile"


class Device(msgspec.Struct, frozen=True):
    """A way to compute; `why` it is not available, empty where it is."""

    name: str
    title: str
    why: str = ""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Median seconds of one call, numpy arrays in and out; None with the reason where there is no valid time.

    `error`: the largest deviation from numpy's result over its largest value.
    """

    kernel: str
    size: int
    device: str
    median_s: float | None = None
    repeats: int = 0
    error: float | None = None
    why: str = ""


class Crossover(msgspec.Struct, frozen=True):
    """From `from_size` on, until the kernel's next row, `device` is the fastest.

    `speedup` is numpy's time over the device's, at `measured_at`, the first size from there on that was timed.
    """

    kernel: str
    from_size: int
    device: str
    speedup: float
    measured_at: int


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """The document.  `host` are the facts behind the fingerprint, `versions` the libraries that were timed.

    `load` is the load average of the minute before: others at work make times noisy.
    """

    schema: str = SCHEMA
    at: str
    quick: bool
    load: float | None = None
    fingerprint: str
    host: dict[str, str]
    versions: dict[str, str]
    devices: tuple[Device, ...]
    timings: tuple[Timing, ...]
    crossovers: tuple[Crossover, ...]


class Choice(NamedTuple):
    """A device, and by how much it was faster than numpy at the timed size nearest to the one asked for."""

    device: str
    speedup: float | None


Curves = Mapping[str, Mapping[int, float]]  # of one kernel: device -> size -> seconds


def curves(timings: Iterable[Timing], kernel: str, among: Iterable[str] | None = None) -> dict[str, dict[int, float]]:
    """The valid times of one kernel, of all devices or of those `among`."""
    wanted = None if among is None else {BASELINE, *among}
    found: dict[str, dict[int, float]] = {}
    for each in timings:
        if each.kernel == kernel and each.median_s is not None and (wanted is None or each.device in wanted):
            found.setdefault(each.device, {})[each.size] = each.median_s
    return found


def crossovers(kernel: str, of: Curves) -> tuple[Crossover, ...]:
    """The kernel's fastest devices by size; none where numpy was not timed.

    At a timed size the fastest device wins, numpy unless another beats it by `MARGIN`.  Between two timed sizes with
    different winners the border is where their times meet, straight lines on logarithmic scales; below the least and
    above the greatest timed size the nearest winner stays.
    """
    sizes = sorted(of.get(BASELINE, {}))
    winners = [
        min(_handicapped(of, size).items(), key=lambda item: (item[1], item[0] != BASELINE))[0] for size in sizes
    ]
    rows: list[Crossover] = []
    for index, (size, device) in enumerate(zip(sizes, winners, strict=True)):
        if rows and rows[-1].device == device:
            continue
        start = _border(of, sizes[index - 1], size, (winners[index - 1], device)) if rows else 0
        rows.append(Crossover(kernel, start, device, of[BASELINE][size] / of[device][size], size))
    return tuple(rows)


def _handicapped(of: Curves, size: int) -> dict[str, float]:
    """Logarithms of the times at a size, each rival of numpy's handicapped by the margin."""
    return {
        device: math.log(times[size]) + (0.0 if device == BASELINE else math.log(MARGIN))
        for device, times in of.items()
        if size in times
    }


def _border(of: Curves, low: int, high: int, devices: tuple[str, str]) -> int:
    """The least size above `low`, at most `high`, from which the second device is the faster."""
    before, after = devices
    at_low, at_high = _handicapped(of, low), _handicapped(of, high)
    if after not in at_low or before not in at_high:
        return high
    lead, lag = at_low[after] - at_low[before], at_high[before] - at_high[after]  # both >= 0
    share = lead / (lead + lag) if lead + lag > 0 else 1.0
    meeting = low * (high / low) ** share
    return min(high, max(low + 1, math.ceil(round(meeting, 6))))  # rounded: 330.0000000001 is 330


class Table(NamedTuple):
    """Crossovers among the devices that someone implements.  `why` there are none: everything is numpy's."""

    rows: Mapping[str, tuple[Crossover, ...]] = {}
    times: Mapping[str, Curves] = {}
    why: str = ""

    def route(self, kernel: str, size: int) -> Choice:
        """The device for a kernel of this size; numpy where nothing is known."""
        device = BASELINE
        for row in self.rows.get(kernel, ()):
            if row.from_size <= size:
                device = row.device
        if device == BASELINE:
            return Choice(BASELINE, None)
        of = self.times[kernel]
        shared = of[BASELINE].keys() & of[device].keys()
        nearest = min(shared, key=lambda timed: abs(math.log(timed / max(size, 1))))
        return Choice(device, of[BASELINE][nearest] / of[device][nearest])


def table(profile: Profile, among: Sequence[str] | None = None) -> Table:
    """The profile's table, for those devices (all when None)."""
    kernels = dict.fromkeys(each.kernel for each in profile.timings)
    times = {kernel: curves(profile.timings, kernel, among) for kernel in kernels}
    return Table({kernel: crossovers(kernel, of) for kernel, of in times.items()}, times)


def load(
    path: Path,
    among: Sequence[str] | None = None,
    host: Callable[[], Mapping[str, str]] = machine.facts,
    version: Callable[[str], str | None] | None = None,
) -> Table:
    """The table of the profile at `path`; an empty one, saying why, unless it was measured on this very machine."""
    try:
        profile = msgspec.json.decode(path.read_bytes(), type=Profile)
    except FileNotFoundError:
        return Table(why=f"no profile of this machine; to measure one: {NEXT}")
    except (OSError, msgspec.DecodeError) as error:
        return Table(why=f"{path.name} cannot be read ({error}); to measure another: {NEXT}")
    if profile.schema != SCHEMA or profile.fingerprint != machine.fingerprint(host()):
        return Table(why=f"{path.name} was measured on another machine or by another version; again: {NEXT}")
    of = version or installed
    changed = sorted(name for name, measured in profile.versions.items() if of(name) != measured)
    if changed:
        return Table(why=f"{path.name} was measured with another {', '.join(changed)}; again: {NEXT}")
    return table(profile, among)


def installed(package: str) -> str | None:
    """A package's version here; None where there is none."""
    from importlib import metadata  # here: only a process that has a profile needs it

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
