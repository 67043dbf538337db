"""A profile for people: the machine, the times, the crossovers, what is not available.  Pure."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from engines.wire.routing import BASELINE, Timing
from nautilus_cli.table import Cell, Column, Table, Tone
from stress.profiler.facts import NotAvailable
from stress.profiler.hardware import Hardware
from stress.profiler.inventory import Inventory
from stress.profiler.kernels import KERNELS
from stress.profiler.layout import Cache, Disk, Node

T = TypeVar("T")
_UNITS = {kernel.name: kernel.unit for kernel in KERNELS}


def blocks(found: Hardware) -> list[Table | str]:
    """All of it."""
    present = [device.name for device in found.devices if not device.why]
    reasons = [f"  -  {reason}" for reason in _reasons(found, present)]
    return [
        Table((Column("machine"), Column("found")), list(_facts(found.inventory))),
        "",
        _devices(found),
        "",
        "Median time of one call, numpy arrays in and out, and how many times as fast as numpy with one thread:",
        _times(found, present),
        *reasons,
        "",
        _crossovers(found),
    ]


def _facts(found: Inventory) -> Iterator[tuple[Cell | str, ...]]:
    shape = found.topology
    yield "system", f"{found.system} {found.kernel} on {found.architecture}"
    yield "processor", _say(found.cpu)
    for name, count in (("sockets", shape.sockets), ("cores", shape.cores), ("threads", shape.threads)):
        yield name, _say(count)
    yield "usable threads", str(found.usable_cores)
    yield "quota", _say(found.quota_cores, lambda cores: f"{cores:g} cores")
    yield "kinds of cores", _list(shape.kinds, lambda kind: f"{kind.threads} threads of {kind.name}")
    yield "NUMA", _list(shape.nodes, _node)
    yield "caches", _list(found.caches, _cache)
    yield (
        "frequency",
        _say(found.frequency, lambda each: f"{each.least_mhz:.0f} to {each.greatest_mhz:.0f} MHz ({each.governor})"),
    )
    yield "memory", _say(found.memory_bytes, _bytes)
    yield "disks", _list(found.disks, _disk)
    yield "virtual machine", _say(found.virtualisation)
    yield "GPUs", _list(found.gpus, str)
    yield "Neural Engine", _say(found.neural_engine)


def _devices(found: Hardware) -> Table:
    rows = [
        (device.name, device.title, _say(NotAvailable(device.why) if device.why else "")) for device in found.devices
    ]
    return Table((Column("device"), Column("what"), Column("")), rows)


def _times(found: Hardware, present: list[str]) -> Table:
    cells = {(each.kernel, each.size, each.device): each for each in found.timings}
    rows = []
    for kernel, size in dict.fromkeys((each.kernel, each.size) for each in found.timings):
        base = cells.get((kernel, size, BASELINE))
        row = [_time(cells.get((kernel, size, device)), base) for device in present]
        rows.append((kernel, f"{size:,} {_UNITS.get(kernel, '')}", *row))
    columns = (Column("kernel"), Column("size", True), *(Column(device, True) for device in present))
    return Table(columns, rows)


def _time(each: Timing | None, base: Timing | None) -> Cell | str:
    if each is None or each.median_s is None:
        return Cell("-", Tone.FAINT)
    text = f"{each.median_s * 1e6:,.1f} us" if each.median_s < 1e-3 else f"{each.median_s * 1e3:,.2f} ms"
    if base is None or base.median_s is None or each.device == BASELINE:
        return text
    speedup = base.median_s / each.median_s
    return Cell(f"{text}  x{speedup:<5.3g}", Tone.GOOD if speedup > 1 else Tone.PLAIN)


def _reasons(found: Hardware, present: list[str]) -> dict[str, None]:
    """Why cells of present devices are empty, each reason once."""
    empty = [each for each in found.timings if each.device in present and each.median_s is None]
    return dict.fromkeys(f"{each.device}, {each.kernel}: {each.why}" for each in empty)


def _crossovers(found: Hardware) -> Table:
    rows = [
        (
            row.kernel,
            f"{row.from_size:,}" if row.from_size else "any",
            row.device,
            "" if row.device == BASELINE else f"x{row.speedup:.3g} at {row.measured_at:,}",
        )
        for row in found.crossovers
    ]
    return Table((Column("kernel"), Column("from size", True), Column("fastest"), Column("against numpy")), rows)


def _say(fact: T | NotAvailable, words: Callable[[T], str] = str) -> Cell | str:
    return Cell(str(fact), Tone.FAINT) if isinstance(fact, NotAvailable) else words(fact)


def _list(facts: tuple[T, ...] | NotAvailable, words: Callable[[T], str]) -> Cell | str:
    return _say(facts, lambda found: "; ".join(words(each) for each in found))


def _node(node: Node) -> str:
    memory = "memory not told" if isinstance(node.memory_bytes, NotAvailable) else _bytes(node.memory_bytes)
    return f"node {node.number}: {len(node.cpus)} threads, {memory}"


def _cache(cache: Cache) -> str:
    shared = f" shared by {cache.shared_by}" if cache.shared_by > 1 else ""
    return f"{cache.instances} x L{cache.level} {cache.type.lower()} {_bytes(cache.size_bytes)}{shared}"


def _disk(disk: Disk) -> str:
    size = "size not told" if isinstance(disk.size_bytes, NotAvailable) else _bytes(disk.size_bytes)
    if isinstance(disk.rotational, NotAvailable):
        kind = "kind not told"
    else:
        kind = "says it is rotational" if disk.rotational else "solid-state"
    model = "" if isinstance(disk.model, NotAvailable) else f", {disk.model}"
    return f"{disk.name} {size}, {kind}{model}"


def _bytes(size: int) -> str:
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= factor:
            return f"{size / factor:,.4g} {unit}"
    return f"{size} B"
