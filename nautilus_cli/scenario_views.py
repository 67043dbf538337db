"""A scenario's brief as tables and lines."""

from collections.abc import Iterator

from engines.wire.scenario_brief import HaltBrief, PinBrief, ScenarioBrief
from nautilus_cli.table import Cell, Column, Table, Tone

_CONFIDENCE = {"verified": Tone.GOOD, "partly": Tone.WARN, "unverified": Tone.WARN}


def blocks(found: ScenarioBrief) -> tuple[Table | str, ...]:
    """Title, pins, rulebook, halts, overlays and notes, in that order."""
    return tuple(_blocks(found))


def _blocks(found: ScenarioBrief) -> Iterator[Table | str]:
    rules = "" if found.rules_asof == found.date else f", by the rules of {found.rules_asof}"
    yield f"{found.title} ({found.name}, {found.date}{rules})"
    yield (
        f"{found.ticks:,} ticks, {found.megabytes:g} MB; busiest second {found.peak_ticks_s:,.0f} ticks, "
        f"in the measured window {found.window_ticks_s:,.0f} a wall second"
    )
    if found.regime.realised is not None:
        vix = "" if found.regime.vix is None else f"; the VIX closed at {found.regime.vix:.2f}"
        yield f"The index moved by {found.regime.realised:.1%} a year over the 21 days to its close{vix}"
    yield ""
    yield _pins(found.pins)
    yield ""
    columns = (Column("rule in force"), Column("confidence"), Column("source"))
    rows = [(each.name, Cell(each.confidence, _CONFIDENCE[each.confidence]), each.source) for each in found.rulebook]
    yield Table(columns, rows) if rows else "No rule in force halts or limits anything."
    yield ""
    yield _halts(found.halts) if found.halts else "Expected halts: none."
    yield from (f"The real day's halt of {each} is none under these rules." for each in found.missing_halts)
    if found.overlays:
        yield ""
        heads = (Column("overlay"), Column("symbol"), Column("from"), Column("to"), Column("what is to be found"))
        yield Table(heads, [(o.kind, o.symbol, f"{o.start}", f"{o.end}", o.finds) for o in found.overlays])
    if found.released or found.conflicts or found.notes:
        yield ""
    yield from (f"Released: {why}." for why in dict.fromkeys(each.partition(": ")[2] for each in found.released))
    yield from (f"Conflict: {each}." for each in found.conflicts)
    yield from (f"Note: {each}" for each in found.notes)


def _pins(pins: tuple[PinBrief, ...]) -> Table:
    names = ("open", "high", "low", "close", "prior", "volume", "volatility")
    columns = (Column("symbol"), *(Column(name, right=True) for name in names), Column("released"))
    return Table(columns, [_pin(pin) for pin in pins])


def _pin(pin: PinBrief) -> tuple[Cell | str, ...]:
    prices = (f"{value:,.2f}" for value in (pin.open, pin.high, pin.low, pin.close, pin.prior_close))
    volume = "-" if pin.volume is None else f"{pin.volume:,}"
    return (Cell(pin.symbol, Tone.STRONG), *prices, volume, f"{pin.volatility:.2%}", " ".join(pin.released))


def _halts(halts: tuple[HaltBrief, ...]) -> Table:
    columns = (Column("expected halt"), Column("symbol"), Column("from"), Column("to"), Column("rule"), Column(""))
    rows: list[tuple[Cell | str, ...]] = []
    for halt in halts:
        kind = f"{halt.kind} level {halt.level}" if halt.level else halt.kind
        real = Cell("not on the real day", Tone.WARN) if halt.added else ""
        rows.append((kind, halt.symbol, f"{halt.start}", f"{halt.end}", halt.rule, real))
    return Table(columns, rows)
