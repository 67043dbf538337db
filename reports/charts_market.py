"""Charts over market time: the price path with halts and faults, and how far below its peak each price stood."""

import numpy as np

from reports.chart import Band, Chart, Floats, Line, load_begin_s, seconds_of_run, table
from reports.history import History
from reports.measures.load import loaded_phases
from reports.records import Fault, Halt, Tape, Toxicity

_X = "market time, minutes"


def price_path(history: History) -> Chart | None:
    """Each symbol's price relative to its first one."""
    found = _prices(history)
    if found is None:
        return None
    minutes, symbols, prices = found
    first = np.array([row[np.isfinite(row)][0] for row in prices])
    lines = tuple(Line(name, 100.0 * prices[n] / first[n]) for n, name in enumerate(symbols) if first[n] > 0)
    bands = (*_halts(history, minutes), *_faults(history))
    return Chart(
        "Price path, halts and faults", _X, "price, % of first", minutes, lines, bands, joined=True, lowest=True
    )


def drawdown(history: History) -> Chart | None:
    """How far each price stood below the highest before it."""
    found = _prices(history)
    if found is None:
        return None
    minutes, symbols, prices = found
    peaks = np.fmax.accumulate(prices, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.where(peaks > 0, 100.0 * (prices / peaks - 1.0), np.nan)
    lines = tuple(Line(name, below[n]) for n, name in enumerate(symbols))
    return Chart(
        "Drawdown", _X, "below the peak, %", minutes, lines, _halts(history, minutes), joined=True, lowest=True
    )


def vpin(history: History) -> Chart | None:
    """How toxic the flow was: VPIN of each symbol after each of its volume buckets, with the halts."""
    found = history.of(Toxicity)
    if not found:
        return None
    symbols = sorted({item.symbol for item in found})
    at, values = table(
        np.array([item.market_ns for item in found]),
        np.array([symbols.index(item.symbol) for item in found]),
        np.array([item.vpin for item in found]),
        len(symbols),
    )
    origin = int(history.levels.market_ns.min()) if len(history.levels) else int(at[0])
    minutes = _minutes(at - origin)
    lines = tuple(Line(name, values[n]) for n, name in enumerate(symbols))
    bands = _halts(history, minutes) if len(history.levels) else ()
    return Chart("VPIN", _X, "VPIN", minutes, lines, bands, joined=True)


def _prices(history: History) -> tuple[Floats, list[str], Floats] | None:
    levels = history.levels
    if not len(levels):
        return None
    symbols = levels.symbols.all()
    at, prices = table(levels.market_ns, levels.symbol, levels.price, len(symbols))
    return _minutes(at - at[0]), symbols, prices


def _halts(history: History, minutes: Floats) -> tuple[Band, ...]:
    origin = int(history.levels.market_ns.min())
    return tuple(
        Band(
            " ".join(filter(None, (halt.kind, halt.symbol))),
            float(_minutes(halt.start_ns - origin)),
            float(_minutes(halt.end_ns - origin) if halt.end_ns is not None else minutes[-1]),
        )
        for halt in history.of(Halt)
    )


def _faults(history: History) -> tuple[Band, ...]:
    """Faults injected while the tape's window was played, set where the tape then was."""
    tapes, phases = history.of(Tape), loaded_phases(history)
    if not tapes or not phases:
        return ()
    window = tapes[-1].window
    begin = load_begin_s(history, phases[-1])
    origin = int(history.levels.market_ns.min())
    marks = []
    for fault in history.of(Fault):
        since = float(seconds_of_run(history, fault.mono_ns)) - begin
        market_ns = window.start_ns + since * 1e9 * window.speed
        if fault.event == "inject" and window.start_ns <= market_ns <= window.end_ns:
            at = float((market_ns - origin) / 60e9)
            marks.append(Band(f"fault: {fault.kind} {fault.target}", at, at))
    return tuple(marks)


def _minutes(nanoseconds: "np.typing.NDArray[np.int64] | int") -> Floats:
    return np.asarray(np.asarray(nanoseconds) / 60e9, np.float64)
