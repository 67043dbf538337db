"""Overlays on a tape, in an order of their own: which one was declared first makes no difference."""

from collections.abc import Callable, Iterable, Mapping

from engines.marketdata.tape.overlays.bad_print import bad_print
from engines.marketdata.tape.overlays.feed import crossed, gap, out_of_order, stale
from engines.marketdata.tape.overlays.venue import fault
from engines.marketdata.tape.tape import Tape, sealed
from engines.wire.scenario import Overlay, OverlayKind

Lay = Callable[[Tape, Overlay], Tape]

# In this order: what is wrong with single rows, then what is shown, then what is lost, then how it arrives.
KINDS: Mapping[OverlayKind, Lay] = {
    "bad-print": bad_print,
    "crossed": crossed,
    "feed-stale": stale,
    "feed-gap": gap,
    "out-of-order": out_of_order,
    "reject-storm": fault,
    "late-fills": fault,
    "disconnect": fault,
}


def lay(tape: Tape, overlays: Iterable[Overlay]) -> Tape:
    """The tape with all overlays; the order in which they are given does not matter.

    The given tape is not changed. Raises ``UsageError`` where an overlay finds nothing to act on.
    """
    ranks = {kind: rank for rank, kind in enumerate(KINDS)}
    wanted = sorted(overlays, key=lambda each: (ranks[each.kind], each.start, each.end, each.symbol, each.amount))
    for overlay in wanted:
        tape = KINDS[overlay.kind](tape, overlay)
    return sealed(tape)
