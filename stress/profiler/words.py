"""An inventory in words, fact by fact: for the command line's table and for a mission's records."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from stress.profiler.facts import NotAvailable
from stress.profiler.inventory import Inventory
from stress.profiler.layout import Cache, Disk, Node

T = TypeVar("T")


def facts(found: Inventory) -> Iterator[tuple[str, str | NotAvailable]]:
    """Each fact's name, and what it is or why it is not known."""
    shape = found.topology
    yield "system", f"{found.system} {found.kernel} on {found.architecture}"
    yield "processor", found.cpu
    for name, count in (("sockets", shape.sockets), ("cores", shape.cores), ("threads", shape.threads)):
        yield name, _say(count, str)
    yield "usable threads", str(found.usable_cores)
    yield "quota", _say(found.quota_cores, lambda cores: f"{cores:g} cores")
    yield "kinds of cores", _list(shape.kinds, lambda kind: f"{kind.threads} threads of {kind.name}")
    yield "NUMA", _list(shape.nodes, _node)
    yield "caches", _list(found.caches, _cache)
    yield (
        "frequency",
        _say(found.frequency, lambda each: f"{each.least_mhz:.0f} to {each.greatest_mhz:.0f} MHz ({each.governor})"),
    )
    yield "memory", _say(found.memory_bytes, size)
    yield "disks", _list(found.disks, _disk)
    yield "virtual machine", found.virtualisation
    yield "GPUs", _list(found.gpus, str)
    yield "Neural Engine", found.neural_engine


def size(count: int) -> str:
    """Bytes in the largest unit that fits."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= factor:
            return f"{count / factor:,.4g} {unit}"
    return f"{count} B"


def _say(fact: T | NotAvailable, words: Callable[[T], str]) -> str | NotAvailable:
    return fact if isinstance(fact, NotAvailable) else words(fact)


def _list(found: tuple[T, ...] | NotAvailable, words: Callable[[T], str]) -> str | NotAvailable:
    return _say(found, lambda each: "; ".join(map(words, each)))


def _node(node: Node) -> str:
    memory = "memory not told" if isinstance(node.memory_bytes, NotAvailable) else size(node.memory_bytes)
    return f"node {node.number}: {len(node.cpus)} threads, {memory}"


def _cache(cache: Cache) -> str:
    shared = f" shared by {cache.shared_by}" if cache.shared_by > 1 else ""
    return f"{cache.instances} x L{cache.level} {cache.type.lower()} {size(cache.size_bytes)}{shared}"


def _disk(disk: Disk) -> str:
    room = "size not told" if isinstance(disk.size_bytes, NotAvailable) else size(disk.size_bytes)
    if isinstance(disk.rotational, NotAvailable):
        kind = "kind not told"
    else:
        kind = "says it is rotational" if disk.rotational else "solid-state"
    model = "" if isinstance(disk.model, NotAvailable) else f", {disk.model}"
    return f"{disk.name} {room}, {kind}{model}"
