"""Records of the machine: what it is, how fast its devices compute, and what engines make of them."""

from typing import Literal

from reports.records.base import Amount, Count, Part, Record

DeviceKind = Literal["reference", "processor", "compiled", "gpu"]


class Fact(Part, frozen=True, kw_only=True):
    """A fact in words; an empty ``value`` is not available, and ``why`` says why."""

    name: str
    value: str = ""
    why: str = ""


class Inventory(Record, frozen=True, kw_only=True):
    """The machine of the run.  What is None is not told; ``facts`` says why, and the rest in words."""

    cores: Count | None = None
    threads: Count | None = None
    usable_cores: Count
    memory_bytes: Count | None = None
    gpus: Count
    neural_engine: bool
    facts: list[Fact]


class Device(Record, frozen=True, kw_only=True):
    """A way to compute; ``why`` it is not available, empty where it is.

    ``kind``: numpy with one thread is the reference; the processor through a library, or with compiled code; a GPU.
    """

    name: str
    title: str
    kind: DeviceKind
    why: str = ""


class KernelTiming(Record, frozen=True, kw_only=True):
    """Median seconds of one call of a kernel; None, with the reason, where there is no valid time: a result that is not
    the reference's makes a time invalid.

    ``error``: the largest deviation from the reference's result over its largest value.
    """

    kernel: str
    unit: str
    size: Count
    device: str
    median_s: Amount | None = None
    repeats: Count
    error: Amount | None = None
    why: str = ""


class Route(Record, frozen=True, kw_only=True):
    """From this size of a kernel on a device is the fastest, by so much over the reference where it was measured."""

    kernel: str
    from_size: Count
    device: str
    speedup: Amount
    measured_at: Count


class Accelerated(Record, frozen=True, kw_only=True):
    """What an engine's own health says that it last computed a kernel with; ``size`` is what it had been asked for."""

    phase: str
    engine: str
    kernel: str
    size: Count
    device: str
    speedup: Amount | None = None
