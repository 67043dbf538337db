"""Faults of the venue: the tape stays as it is, the session tells the venue what to do."""

from dataclasses import replace

from engines.marketdata.tape.overlays.feed import found, span
from engines.marketdata.tape.tape import Tape
from engines.wire.messages import Fault
from engines.wire.scenario import Overlay

LATE_S = 5.0  # market seconds by which fills are late, where the overlay gives none


def fault(tape: Tape, overlay: Overlay) -> Tape:
    """A reject storm, late fills (by ``amount`` seconds), or a lost connection with open orders."""
    start, end = span(tape, overlay)
    match overlay.kind:
        case "reject-storm" | "disconnect":
            told = Fault(overlay.kind, overlay.symbol, start, end)
        case "late-fills":
            told = Fault(overlay.kind, overlay.symbol, start, end, overlay.amount or LATE_S)
        case _:
            raise ValueError(overlay.kind)  # a fault of the feed
    return replace(tape, faults=(*tape.faults, told), findings=found(tape, overlay, 1))
