"""Figures about the machine: what it is, how fast its devices compute, and which of them engines use."""

import math
from collections.abc import Iterator

from reports.figures import Figure, in_history
from reports.history import History
from reports.records import Accelerated, Device, Inventory, KernelTiming

BASELINE = "numpy"
FASTER = 1.1
"""From so many times the reference's speed on, a computation counts as accelerated: less is noise."""

Times = dict[tuple[str, int, str], KernelTiming]


def measure(history: History) -> Iterator[Figure]:
    """All figures about the machine; none for a run that did not look at it."""
    found = history.of(Inventory)
    if found:
        yield from _machine(found, history.of(Device))
    times = times_of(history)
    for (kernel, size, device), each in times.items():
        if each.median_s is None:
            continue
        source = (in_history("kernel_timing", counted(history, each), kernel=kernel, size=str(size), device=device),)
        name = f"hardware.{kernel}.{size}.{device}"
        yield Figure(f"{name}.ms", 1e3 * each.median_s, "ms", "median time of one call, arrays in and out", source)
        gain = speedup(times, kernel, size, device)
        yield Figure(f"{name}.speedup", gain, "times", "the reference's time over this device's", source)
    words = history.of(Accelerated)
    if words:
        yield from _engines(words, times, history)


def times_of(history: History) -> Times:
    """The last timing of each kernel, size and device."""
    return {(each.kernel, each.size, each.device): each for each in history.of(KernelTiming)}


def counted(history: History, of: KernelTiming) -> int:
    """How many timings there are of the same kernel, size and device."""
    key = (of.kernel, of.size, of.device)
    return sum((each.kernel, each.size, each.device) == key for each in history.of(KernelTiming))


def speedup(times: Times, kernel: str, size: int, device: str) -> float | None:
    """The reference's time over the device's; None where one of them has no valid time."""
    base, own = times.get((kernel, size, BASELINE)), times.get((kernel, size, device))
    if base is None or own is None or base.median_s is None or not own.median_s:
        return None
    return base.median_s / own.median_s


def engine_speedup(times: Times, word: Accelerated) -> float | None:
    """Of the device that an engine names, at the timed size nearest (by ratio) to the one it was asked for."""
    sizes = [
        size
        for kernel, size, device in times
        if (kernel, device) == (word.kernel, word.device) and speedup(times, kernel, size, device) is not None
    ]
    if not sizes:
        return None
    nearest = min(sizes, key=lambda size: abs(math.log(size / max(word.size, 1))))
    return speedup(times, word.kernel, nearest, word.device)


def last_words(words: list[Accelerated]) -> list[Accelerated]:
    """The last of each engine, in order of first appearance."""
    return list({word.engine: word for word in words}.values())


def _machine(found: list[Inventory], devices: list[Device]) -> Iterator[Figure]:
    last, source = found[-1], (in_history("inventory", found),)
    yield Figure("hardware.cores", last.cores, "cores", "cores that are switched on", source)
    yield Figure("hardware.usable_cores", last.usable_cores, "threads", "hardware threads that the run may use", source)
    yield Figure("hardware.memory_bytes", last.memory_bytes, "bytes", "memory of the machine", source)
    present = {device.name for device in devices if not device.why}
    source = (in_history("device", devices),)
    yield Figure("hardware.devices", len(present), "devices", "ways to compute that are available", source)
    own = last.gpus + last.neural_engine
    words = "GPUs and Neural Engines that the inventory lists"
    yield Figure("hardware.accelerators", own, "devices", words, (in_history("inventory", found),))


def _engines(words: list[Accelerated], times: Times, history: History) -> Iterator[Figure]:
    kinds = {device.name: device.kind for device in history.of(Device) if not device.why}
    source = (in_history("accelerated", words),)
    fast = {"gpu": 0, "compiled": 0}
    for word in last_words(words):
        own = (in_history("accelerated", [each for each in words if each.engine == word.engine], engine=word.engine),)
        gain = engine_speedup(times, word)
        text = f"times as fast as {BASELINE}, of the device that its own health names"
        yield Figure(f"hardware.{word.engine}.speedup", gain, "times", text, own)
        kind = kinds.get(word.device, "")
        if kind in fast and gain is not None and gain >= FASTER:
            fast[kind] += 1
    yield Figure("hardware.engines_routed", len(last_words(words)), "engines", "engines that choose by profile", source)
    text = "of these, by their own health on a GPU that is measured to be faster than the reference"
    yield Figure("hardware.engines_accelerated", fast["gpu"], "engines", text, source)
    text = "of these, by their own health on the processor with compiled code, measured to be faster than the reference"
    yield Figure("hardware.engines_compiled", fast["compiled"], "engines", text, source)
