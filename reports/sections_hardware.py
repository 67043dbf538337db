"""The section about the machine: what it is, how fast its devices compute, and which of them engines use."""

from reports.figures import Figures
from reports.history import History
from reports.measures.hardware import BASELINE, Times, last_words, times_of
from reports.model import Block, Cell, Claim, Row, Section, Table, row
from reports.records import Accelerated, Device, Inventory, Route
from reports.show import bare

_MACHINE = ("Fact", "Found")
_DEVICES = ("Device", "What", "Available")
_ROUTES = ("Kernel", "From size", "Fastest device", "Times the reference", "Measured at")
_ENGINES = ("Engine", "Kernel", "Computes with, by its health", "Times the reference")


def hardware(history: History, figures: Figures) -> tuple[Section, ...]:
    """The machine, its devices, the kernels on each, the routes; none for a run that did not look at it."""
    found = history.of(Inventory)
    if not found:
        return ()
    blocks: list[Block] = []
    words = history.of(Accelerated)
    if words:
        slots = {name: bare(figures[f"hardware.engines_{name}"]) for name in ("routed", "accelerated", "compiled")}
        claim = (
            "Engines that choose their device by these times: {routed}; of these on an accelerator: {accelerated}, "
            "with compiled code on the processor: {compiled}."
        )
        blocks += [Claim(claim, slots), Table(_ENGINES, tuple(_engine(word, figures) for word in last_words(words)))]
    facts = tuple((fact.name, fact.value or f"NOT AVAILABLE: {fact.why}") for fact in found[-1].facts)
    devices = tuple(
        (device.name, device.title, f"NOT AVAILABLE: {device.why}" if device.why else "yes")
        for device in {device.name: device for device in history.of(Device)}.values()
    )
    blocks += [Table(_MACHINE, facts), Table(_DEVICES, devices)]
    routes = {(route.kernel, route.from_size): route for route in history.of(Route)}
    blocks.append(Table(_ROUTES, tuple(map(_route, routes.values()))))
    times = times_of(history)
    blocks += _timings(times, figures)
    refused = _refused(times, history)
    if refused:
        blocks.append(Table(("Device", "Kernel", "No valid time because"), refused))
    return (Section("Hardware acceleration", tuple(blocks)),)


def _engine(word: Accelerated, figures: Figures) -> Row:
    kernel = f"{word.kernel}, {word.size}" if word.kernel else "none yet"
    return row(word.engine, kernel, word.device, figures[f"hardware.{word.engine}.speedup"])


def _route(route: Route) -> Row:
    size = "any" if route.from_size == 0 else str(route.from_size)
    return (route.kernel, size, route.device, f"{route.speedup:.2f}", str(route.measured_at))


def _timings(times: Times, figures: Figures) -> list[Block]:
    """Milliseconds of each device that has any valid time, then its times as fast as the reference."""
    devices = list(dict.fromkeys(device for (*_, device), each in times.items() if each.median_s is not None))
    sizes = {(kernel, size): each.unit for (kernel, size, _), each in times.items()}

    def cell(name: str) -> Cell:
        return figures[name] if name in figures.by_id else "none"

    def cells(field: str, chosen: list[str]) -> tuple[Row, ...]:
        return tuple(
            row(kernel, f"{size} {unit}", *(cell(f"hardware.{kernel}.{size}.{name}.{field}") for name in chosen))
            for (kernel, size), unit in sizes.items()
        )

    others = [name for name in devices if name != BASELINE]
    deviation = max((each.error for each in times.values() if each.error is not None), default=None)
    told = "UNKNOWN" if deviation is None else f"{deviation:.1e}"
    return [
        Claim("Median milliseconds of one call, arrays in and out:"),
        Table(("Kernel", "Size", *devices), cells("ms", devices)),
        Claim(
            "Times as fast as {base}; results deviate from its own by {told} of its largest value at most:",
            {"base": BASELINE, "told": told},
        ),
        Table(("Kernel", "Size", *others), cells("speedup", others)),
    ]


def _refused(times: Times, history: History) -> tuple[Row, ...]:
    """Each reason once, of devices that are there."""
    present = {device.name for device in history.of(Device) if not device.why}
    found = ((each.device, each.kernel, each.why) for each in times.values() if each.median_s is None)
    return tuple(dict.fromkeys(item for item in found if item[0] in present))
