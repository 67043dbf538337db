"""A day that is ready to be replayed: the scenario's facts and the tape's rows."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from engines.marketdata.request import ReplayRequest
from engines.marketdata.venue_state import CONFIG
from engines.wire.messages import Fault, MeasuredWindow, Session
from engines.wire.scenario import Scenario
from engines.wire.session import CLOSE, OPEN, epoch_ns
from engines.wire.ticks import BUST, DEPTH, LEVEL, PRICE_SCALE, QUOTE, TRADE, Rows, to_units

if TYPE_CHECKING:  # the tape needs numba, which the engine's own process never loads
    from engines.marketdata.tape.tape import Tape

Event = Literal["open", "window", "window-end", "close"]
PATH_S = 60.0
Streams = tuple[Rows, Rows, Rows, Rows, Rows]  # trades, quotes, levels, depths, busts


class PinRow(msgspec.Struct, frozen=True):
    """A property that the tape is pinned to (currency units, or shares and contracts), and what its rows give."""

    symbol: str
    name: str
    target: float
    got: float


class FindingRow(msgspec.Struct, frozen=True):
    """What an overlay left in the rows: how many, of which symbol, in [start_ns, end_ns)."""

    kind: str
    symbol: str
    start_ns: int
    end_ns: int
    count: int


class Evidence(msgspec.Struct, frozen=True):
    """What was built.  `path`: (symbol, market ns, price of 1/10,000) once a minute and at each low."""

    digest: str
    trades: int
    quotes: int
    levels: int
    pins: tuple[PinRow, ...]  # those that hold; `released` names the others
    path: tuple[tuple[str, int, int], ...]
    depths: int = 0
    busts: int = 0
    faults: tuple[Fault, ...] = ()
    released: tuple[str, ...] = ()
    counterfactual: bool = False
    findings: tuple[FindingRow, ...] = ()


@dataclass(frozen=True, eq=False)
class Day:
    """Rows in the order in which they leave, each of its type in `ticks`; an overlay may put times out of order."""

    request: ReplayRequest
    scenario: Scenario
    evidence: Evidence
    trades: Rows
    quotes: Rows
    levels: Rows
    depths: Rows
    busts: Rows

    @property
    def streams(self) -> Streams:
        """All rows, in the order in which the messages of one batch are appended."""
        return (self.trades, self.quotes, self.levels, self.depths, self.busts)

    @property
    def open_ns(self) -> int:
        """The open of the session."""
        return epoch_ns(self.scenario.date, OPEN)

    @property
    def close_ns(self) -> int:
        """The close of the session."""
        return epoch_ns(self.scenario.date, CLOSE)

    @property
    def window(self) -> MeasuredWindow:
        """The measured window."""
        window, date = self.scenario.window, self.scenario.date
        return MeasuredWindow(
            epoch_ns(date, window.start), epoch_ns(date, window.end), window.speed, self.request.window_at_ns
        )

    def session(self, event: Event, speed: float) -> Session:
        """The message that tells an event of this day."""
        scenario = self.scenario
        orderable = tuple(instrument.symbol for instrument in scenario.instruments)
        return Session(
            event=event,
            scenario=self.request.scenario,
            date=scenario.date.isoformat(),
            symbols=scenario.symbols,
            orderable=orderable,
            seed=self.request.seed,
            digest=self.evidence.digest,
            speed=speed,
            ticks=scenario.ticks,
            window=self.window,
            tick_sizes=(100, *(to_units(instrument.tick) for instrument in scenario.instruments)),
            multipliers=(1, *(round(instrument.multiplier) for instrument in scenario.instruments)),
            rules_asof=scenario.rules_asof.isoformat() if scenario.rules_asof else "",
            faults=self.evidence.faults,
            latency_ns=CONFIG.latency_ns,
            jitter_ns=CONFIG.jitter_ns,
        )


def evidence(tape: "Tape") -> Evidence:
    """Each pin's target beside what the tape's rows give (released pins are named only), and the path for plots."""
    found: list[PinRow] = []
    path: list[tuple[str, int, int]] = []
    released = {(each.symbol, each.pin) for each in tape.released}
    for place, pin in enumerate(tape.pins):
        if place == 0:
            ts, price, volume = tape.levels["ts"], tape.levels["level"], None
        else:
            own = tape.trades[tape.trades["symbol"] == place]
            ts, price, volume = own["ts"], own["price"], int(own["size"].sum())
        got = {"open": price[0], "high": price.max(), "low": price.min(), "close": price[-1]}
        for name, value in got.items():
            if (pin.symbol, name) not in released:
                found.append(PinRow(pin.symbol, name, getattr(pin, name) / PRICE_SCALE, int(value) / PRICE_SCALE))
        if volume is not None and (pin.symbol, "volume") not in released:
            found.append(PinRow(pin.symbol, "volume", float(pin.volume or 0), float(volume)))
        every = np.searchsorted(np.maximum.accumulate(ts), np.arange(ts[0], ts[-1], int(PATH_S * 1e9)))
        kept = np.unique(np.concatenate([every, [int(price.argmin()), ts.size - 1]]))
        path += ((pin.symbol, int(ts[i]), int(price[i])) for i in kept)
    return Evidence(
        tape.digest(),
        len(tape.trades),
        len(tape.quotes),
        len(tape.levels),
        tuple(found),
        tuple(path),
        depths=len(tape.depths),
        busts=len(tape.busts),
        faults=tape.faults,
        released=tuple(f"{each.symbol} {each.pin}: {each.why}" for each in tape.released),
        counterfactual=tape.outlook.counterfactual,
        findings=tuple(FindingRow(f.kind, f.symbol, f.start_ns, f.end_ns, f.count) for f in tape.findings),
    )


def to_bytes(made: Evidence, rows: Streams) -> bytes:
    """Evidence and rows as one block of bytes; `from_bytes` reads it."""
    head = msgspec.msgpack.encode(made)
    return b"".join((len(head).to_bytes(4, "little"), head, *(part.tobytes() for part in rows)))


def from_bytes(request: ReplayRequest, scenario: Scenario, data: bytes) -> Day:
    """The day whose evidence and rows `data` holds; its arrays are views of it.

    Raises:
        ValueError: the block is cut short.
    """
    start = 4 + int.from_bytes(data[:4], "little")
    made = msgspec.msgpack.decode(data[4:start], type=Evidence)
    parts: list[Rows] = []
    counts = (made.trades, made.quotes, made.levels, made.depths, made.busts)
    for dtype, count in zip((TRADE, QUOTE, LEVEL, DEPTH, BUST), counts, strict=True):
        parts.append(np.frombuffer(data, dtype, count, start))
        start += count * dtype.itemsize
    return Day(request, scenario, made, *parts)
