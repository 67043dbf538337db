"""The benchmark's part of the section about the buses."""

from reports.figures import Figures
from reports.history import History
from reports.measures.busbench import TIMES, last_modes
from reports.model import Block, Cell, Claim, Table, row
from reports.records import BusMode, BusPeer

_COUNTED = ("Mode", "Published", "Delivered", "Lost", "Twice", "Reordered", "Messages or ticks/s")
_TIMED = ("Mode", "Latency from", "p50 ms", "p99 ms", "p99.9 ms", "Max ms")


def blocks(history: History, figures: Figures) -> tuple[Block, ...]:
    """Each mode's account, rate and latency, then the other tool's rate; none for a run without the benchmark."""
    modes = last_modes(history.of(BusMode))
    if not modes:
        return ()
    intro = Claim(
        "The same buses on servers of their own while the fleet rested, every message counted on both sides, as fast "
        "as they went unless a rate is named."
    )
    fields = ("published", "delivered", "lost", "duplicates", "reordered", "rate")
    counted = tuple(row(mode.title, *(figures[f"busbench.{mode.mode}.{field}"] for field in fields)) for mode in modes)
    timed = tuple(
        row(
            mode.title,
            "its stamp" if mode.asked_per_s is None else "when it should have left",
            *(figures[f"busbench.{mode.mode}.{field}"] for field in TIMES),
        )
        for mode in modes
    )
    found: tuple[Block, ...] = (intro, Table(_COUNTED, counted), Table(_TIMED, timed))
    peers = history.of(BusPeer)
    if not peers:
        return found
    last = peers[-1]
    slots: dict[str, Cell] = {
        "tool": last.tool,
        "why": last.why,
        "rate": figures["busbench.peer.rate"],
        "version": last.version,
    }
    if last.per_s is None:
        return (*found, Claim("{tool}: NOT AVAILABLE: {why}.", slots))
    words = (
        "{tool} ({version}) published {rate} to one server of the same kind, in pipelines of {pipeline}, read by "
        "nobody."
    )
    return (*found, Claim(words, slots | {"pipeline": str(last.pipeline)}))
