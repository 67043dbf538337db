"""Records of faults injected on purpose and of the way back from each."""

from typing import Literal

from reports.records.base import Amount, Count, Record


class Fault(Record, frozen=True, kw_only=True):
    """A fault was injected or healed on purpose.  `proof`: what was seen of it; `proven`: that it did happen."""

    id: str
    kind: str
    target: str
    event: Literal["inject", "heal"]
    proven: bool
    proof: str


class Recovery(Record, frozen=True, kw_only=True):
    """How the fleet came back from one fault: CLOCK_MONOTONIC stamps, None for what was not seen in time.

    detected: the supervisor said so; restarted: a new process was there; healthy: every
    engine that the fault touched answered healthy; regained: each kept its service level again (`EngineRecovery`);
    drained: no consumer was behind. `engines` are those whose availability the fault excuses until `regained_ns`.
    """

    id: str
    kind: str
    target: str
    engines: list[str]
    injected_ns: Count
    healed_ns: Count | None = None
    detected_ns: Count | None = None
    restarted_ns: Count | None = None
    healthy_ns: Count | None = None
    regained_ns: Count | None = None
    drained_ns: Count | None = None


class EngineRecovery(Record, frozen=True, kw_only=True):
    """How one engine came back from the fault `id` that touched it: CLOCK_MONOTONIC stamps, None: not in time.

    regained: the first instant from which it kept its service level: it answered healthy within ``answer_ms``, and no
    message had waited for it for longer than ``fresh_ms``.
    """

    id: str
    engine: str
    answer_ms: Amount
    fresh_ms: Amount
    healthy_ns: Count | None = None
    regained_ns: Count | None = None
