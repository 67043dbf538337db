"""A print at a wrong price that the exchange corrects later, as thousands were in May 2010."""

from dataclasses import replace

import numpy as np

from engines.marketdata.tape.overlays.feed import covered, found, span
from engines.marketdata.tape.tape import Tape
from engines.wire.errors import UsageError
from engines.wire.outlook import Release
from engines.wire.scenario import Overlay
from engines.wire.ticks import BUST, to_units

OFF = 0.2  # how far below its price it stands, as a fraction, where the overlay gives none


def bad_print(tape: Tape, overlay: Overlay) -> Tape:
    """The first print in the overlay's time that pins nothing stands ``amount`` below its price; the correction is
    published when the time ends and names the price that was right, so that with it every pin holds again.

    Raises ``UsageError`` where no print is left to be wrong.
    """
    inside = covered(tape, overlay, tape.trades)
    lows, highs = (np.array([getattr(pin, name) for pin in tape.pins]) for name in ("low", "high"))
    price, symbol = tape.trades["price"], tape.trades["symbol"]
    inside &= (price > lows[symbol]) & (price < highs[symbol])
    for place in range(1, len(tape.pins)):
        own = np.flatnonzero(symbol == place)
        if own.size:
            inside[[own[0], own[-1]]] = False
    candidates = np.flatnonzero(inside)
    if candidates.size == 0:
        raise UsageError(
            f"No print of {overlay.symbol} between {overlay.start} and {overlay.end} can be wrong.",
            "There is none that the day is not pinned to.",
            "Choose another time or symbol.",
        )
    i = int(candidates[0])
    trades = tape.trades.copy()
    row = trades[i]
    right, place = int(row["price"]), int(row["symbol"])
    tick = to_units(tape.scenario.instruments[place - 1].tick)
    wrong = max(tick, round(right * (1 - (overlay.amount or OFF))) // tick * tick)
    trades["price"][i] = wrong
    bust = np.array([(span(tape, overlay)[1], place, row["ts"], wrong, row["size"], right)], BUST)
    busts = np.concatenate((tape.busts, bust))
    pin = tape.pins[place]
    why = f"a bad print of {overlay.start:%H:%M:%S}, corrected at {overlay.end:%H:%M:%S}"
    broken = (Release(pin.symbol, "low", why),) if wrong <= pin.low else ()
    return replace(
        tape,
        trades=trades,
        busts=busts[np.argsort(busts["ts"], kind="stable")],
        findings=found(tape, overlay, 1),
        broken=(*tape.broken, *broken),
    )
