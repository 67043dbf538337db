"""Tables about requests that act, for the sections of what they act on."""

from reports.figures import Figures
from reports.history import History
from reports.measures.operations import hop_of
from reports.model import Block, Claim, Table, row
from reports.records import KillSwitch, Replay, RequestHop


def hops(history: History, figures: Figures, drill: KillSwitch) -> tuple[Block, ...]:
    """The request that threw a kill switch, hop by hop; nothing where its id was not recorded."""
    if not drill.request:
        return ()
    name = f"request.{drill.phase}"
    words = (
        "The request, hop by hop: {request} arrived at its engine after {arrived} and was answered after {answered}. "
        "What it caused, counted from its sending, of the topics that are never trimmed:"
    )
    slots = {"arrived": figures[f"{name}.arrived_ms"], "answered": figures[f"{name}.answered_ms"]}
    own = sorted((hop for hop in history.of(RequestHop) if hop.request == drill.request), key=lambda hop: hop.first_ns)
    lines = tuple(
        row(hop.producer, hop.topic, *(figures[f"{hop_of(hop)}.{field}"] for field in ("count", "first_ms", "last_ms")))
        for hop in own
    )
    claim = Claim(words, {"request": drill.request, **slots})
    return (claim, Table(("From", "Topic", "Messages", "First sent ms", "Last sent ms"), lines)) if lines else (claim,)


def replays(history: History, figures: Figures) -> tuple[Block, ...]:
    """Each replay beside the request that asked for it; its hops count from when its ticks were due."""
    fields = ("arrived_ms", "opened_ms", "first_tick_due_ms", "first_tick_ms")
    rows = tuple(
        row(each.phase, f"r{each.number}", each.request, *(figures[f"replay.{each.phase}.{field}"] for field in fields))
        for each in history.of(Replay)
    )
    columns = ("Phase", "Replay", "Request", "Arrived ms", "Opened ms", "First tick due ms", "First tick sent ms")
    words = "Each replay from the sending of the request that asked for it; the hops of its phase count from its ticks."
    return (Claim(words), Table(columns, rows)) if rows else ()
