"""A profile for people: the machine, the times, the crossovers, what is not available.  Pure."""

from engines.wire.routing import BASELINE, Timing
from nautilus_cli.table import Cell, Column, Table, Tone
from stress.profiler.facts import NotAvailable
from stress.profiler.hardware import Hardware
from stress.profiler.kernels import KERNELS
from stress.profiler.words import facts

_UNITS = {kernel.name: kernel.unit for kernel in KERNELS}


def blocks(found: Hardware) -> list[Table | str]:
    """All of it."""
    present = [device.name for device in found.devices if not device.why]
    reasons = [f"  -  {reason}" for reason in _reasons(found, present)]
    return [
        Table((Column("machine"), Column("found")), [(name, _say(fact)) for name, fact in facts(found.inventory)]),
        "",
        _devices(found),
        "",
        "Median time of one call, numpy arrays in and out, and how many times as fast as numpy with one thread:",
        _times(found, present),
        *reasons,
        "",
        _crossovers(found),
    ]


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


def _say(fact: str | NotAvailable) -> Cell | str:
    return Cell(str(fact), Tone.FAINT) if isinstance(fact, NotAvailable) else fact
