"""Figures about requests that act: how long after each was sent its effects were, hop by hop."""

from collections.abc import Iterator

from reports.figures import Evidence, Figure, in_history
from reports.history import History
from reports.records import KillSwitch, Replay, RequestHop


def measure(history: History) -> Iterator[Figure]:
    """All of them; none for a run whose requests caused nothing that it looked at."""
    thrown = {drill.request: drill for drill in history.of(KillSwitch) if drill.request}
    for drill in thrown.values():
        source = (in_history("kill_switch", 1, phase=drill.phase),)
        name = f"request.{drill.phase}"
        words = "from the harness's sending of the request that threw the kill switch to its arrival at the engine"
        yield Figure(f"{name}.arrived_ms", _ms(drill.arrived_ns, drill.ordered_ns), "ms", words, source)
        words = "to the engine's answer, which it gives once its first messages are committed"
        yield Figure(f"{name}.answered_ms", _ms(drill.answered_ns, drill.ordered_ns), "ms", words, source)
    for hop in history.of(RequestHop):
        yield from _hop(hop, thrown.get(hop.request))
    for replay in history.of(Replay):
        yield from _replay(replay)


def _hop(hop: RequestHop, cause: KillSwitch | None) -> Iterator[Figure]:
    """Times are unknown where nobody recorded the sending of the request."""
    name, sent_ns = hop_of(hop), None if cause is None else cause.ordered_ns
    source: tuple[Evidence, ...] = (
        in_history("request_hop", 1, phase=hop.phase, producer=hop.producer, topic=hop.topic),
    )
    if cause is not None:
        source += (in_history("kill_switch", 1, phase=cause.phase),)
    yield Figure(f"{name}.count", hop.count, "messages", "that the request caused", source[:1])
    words = "from the harness's sending of the request to the sending of the {} of them"
    yield Figure(f"{name}.first_ms", _ms(hop.first_ns, sent_ns), "ms", words.format("first"), source)
    yield Figure(f"{name}.last_ms", _ms(hop.last_ns, sent_ns), "ms", words.format("last"), source)


def _replay(replay: Replay) -> Iterator[Figure]:
    """From the harness's request on; tick-to-risk of the same phase counts from when each tick was due."""
    source = (in_history("replay", 1, phase=replay.phase),)
    steps = {
        "arrived_ms": (replay.arrived_ns, "its arrival at the engine"),
        "opened_ms": (replay.opened_ns, "the sending of the session's opening"),
        "first_tick_due_ms": (replay.first_tick_due_ns, "when the first trades of the measured window were due"),
        "first_tick_ms": (replay.first_tick_ns, "the sending of the first trades of the measured window"),
    }
    for name, (at_ns, words) in steps.items():
        how = f"from the harness's sending of the request for the replay to {words}"
        yield Figure(f"replay.{replay.phase}.{name}", _ms(at_ns, replay.asked_ns), "ms", how, source)


def hop_of(hop: RequestHop) -> str:
    """How the ids of its figures begin."""
    return f"request.{hop.phase}.{hop.producer}.{hop.topic}"


def _ms(at_ns: int | None, since_ns: int | None) -> float | None:
    return None if at_ns is None or since_ns is None else (at_ns - since_ns) / 1e6
