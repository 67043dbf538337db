"""What to send, to whom, how fast: a load plan is a value.

Phases are open (arrivals scheduled ahead from a rate curve) or closed (a fixed number of requests outstanding).
All phases of a plan share the same connections, which are opened before the first phase and held until the last ends.
"""

from typing import Literal

import msgspec

from stress.load.errors import LoadError

Scalar = str | int | float | bool | None
Kind = Literal["number", "string", "boolean", "array", "object", "null"]

TOKEN_BREAKERS = ("\r", "\n", " ")
LAG_LOG, SERVICE_LOG = "generator-lag", "service-time"  # HDR logs of a phase; of each of its targets
PHASES_MAX = 100  # two digits in an id


class Check(msgspec.Struct, frozen=True):
    """A field of a JSON reply and the value it must have.

    field: dotted path; a part of digits indexes an array (``rows.0.value``).
    tolerance: largest absolute difference for numbers; 0 asks for equality.
    """

    field: str
    equals: Scalar
    tolerance: float = 0.0


class Request(msgspec.Struct, frozen=True):
    """One HTTP/1.1 request of a target's mix, with the status it must be answered with.

    fields: what the reply's JSON must have, dotted path and kind; check: the value of one of them.
    """

    path: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    weight: float = 1.0
    body: str | None = None
    content_type: str = "application/json"
    headers: dict[str, str] = {}
    status: int = 200
    check: Check | None = None
    fields: dict[str, Kind] = {}

    @property
    def has_expectations(self) -> bool:
        """Whether the reply's body is to be looked at."""
        return self.check is not None or bool(self.fields)


class Target(msgspec.Struct, frozen=True):
    """A server under load: where it listens, its share of the arrivals, its mix and its connections."""

    name: str
    port: int
    requests: tuple[Request, ...]
    connections: int
    host: str = "127.0.0.1"
    weight: float = 1.0


class OpenPhase(msgspec.Struct, frozen=True, tag="open"):
    """Arrivals follow a rate curve, whatever the replies do.

    rate: requests per second over all targets, constant within each cell of `step_s` seconds (see stress.load.shapes).
    warm_s: the first seconds of the curve are sent and counted apart, and enter no histogram.
    """

    name: str
    rate: tuple[float, ...]
    step_s: float = 1.0
    arrivals: Literal["poisson", "even"] = "poisson"
    warm_s: float = 0.0

    @property
    def duration_s(self) -> float:
        """Length of the phase in seconds."""
        return len(self.rate) * self.step_s


class ClosedPhase(msgspec.Struct, frozen=True, tag="closed"):
    """`concurrency` requests outstanding over all targets; each reply starts the next one after `think_s`.

    per_target: the outstanding ones are dealt over the targets by weight, and each is followed by its like, so that
    every target keeps its share of them.  Otherwise a next one is drawn anew, and most come to wait at the slowest.
    The first ones are then sent one after the other, each timed from its own turn.
    requests_per_s_max bounds the memory of the record: the phase ends early when it is passed.
    warm_s: what is due in the first seconds of `duration_s` is counted apart, and enters no histogram.
    """

    name: str
    concurrency: int
    duration_s: float
    think_s: float = 0.0
    per_target: bool = False
    requests_per_s_max: int = 200_000
    warm_s: float = 0.0


Phase = OpenPhase | ClosedPhase


class LoadPlan(msgspec.Struct, frozen=True):
    """A whole run of the generator.

    seed: of the arrival times and of the choice of requests.  timeout_s: from the intended time.
    sample_every: one in this many replies to checked requests has its body checked; 1 is every one.
    connects_per_s: pace of opening connections.  opening_s: longest wait for all of them before the first phase.
    start_ns: CLOCK_MONOTONIC at which the first phase begins at the earliest; 0 as soon as it can.
    processes: generators that share the connections and the schedule, when one core is not enough.  part: which of
    them reads this, from 0; the runner sets it.
    run_id: of the correlation header that each request carries (stress.load.ids); none where `correlate` is off.
    """

    targets: tuple[Target, ...]
    phases: tuple[Phase, ...]
    seed: int = 1
    timeout_s: float = 5.0
    sample_every: int = 1
    connects_per_s: float = 2000.0
    opening_s: float = 30.0
    start_ns: int = 0
    processes: int = 1
    part: int = 0
    run_id: str = "load"
    correlate: bool = True

    @property
    def connections(self) -> int:
        """Connections held open, over all targets."""
        return sum(target.connections for target in self.targets)

    @property
    def duration_s(self) -> float:
        """Length of all phases together, in seconds, without opening and draining."""
        return sum(phase.duration_s for phase in self.phases)


def mistakes(plan: LoadPlan) -> list[str]:
    """Every reason why the plan cannot be run; empty when it can."""
    found = [] if plan.targets else ["there is no target"]
    found += [] if plan.phases else ["there is no phase"]
    found += _repeated("target", [target.name for target in plan.targets])
    found += _repeated("phase", [phase.name for phase in plan.phases])
    for number in ("timeout_s", "sample_every", "connects_per_s", "opening_s"):
        if not getattr(plan, number) > 0:
            found.append(f"{number} must be above zero")
    found += _crew_mistakes(plan)
    for target in plan.targets:
        found += _target_mistakes(target)
    for phase in plan.phases:
        found += _phase_mistakes(phase, plan)
    return found


def checked(plan: LoadPlan) -> LoadPlan:
    """The plan itself, when it can be run.  Raises LoadError naming every mistake."""
    found = mistakes(plan)
    if found:
        raise LoadError("The load plan cannot be run.", "; ".join(found) + ".", "Correct the plan and run it again.")
    return plan


def part_of(plan: LoadPlan, part: int) -> LoadPlan:
    """What one of the plan's processes is sent: the whole plan, and which of them it is."""
    return msgspec.structs.replace(plan, part=part)


def own_share(plan: LoadPlan) -> LoadPlan:
    """The plan with only the connections that its part opens; the schedule is shared out by `tables.arrivals_of`."""
    parts, part = plan.processes, plan.part
    return msgspec.structs.replace(
        plan,
        targets=tuple(
            msgspec.structs.replace(target, connections=len(range(part, target.connections, parts)))
            for target in plan.targets
        ),
        connects_per_s=plan.connects_per_s / parts,
    )


def _crew_mistakes(plan: LoadPlan) -> list[str]:
    """Of the processes and the ids that they send."""
    found = []
    if not plan.processes >= 1 or not 0 <= plan.part < plan.processes:
        return [f"part {plan.part} of {plan.processes} processes is none"]
    few = [target.name for target in plan.targets if target.connections < plan.processes]
    if plan.processes > 1 and few:
        found.append(f"{plan.processes} processes need as many connections to each target: {', '.join(few)}")
    if not plan.run_id.isascii() or not plan.run_id.isprintable() or " " in plan.run_id:
        found.append(f"run_id {plan.run_id!r} is not valid in a header")
    if plan.correlate and len(plan.phases) > PHASES_MAX:
        found.append(f"ids number {PHASES_MAX} phases at most")
    return found


def _repeated(kind: str, names: list[str]) -> list[str]:
    found = [f"{kind} {name!r} occurs twice" for name in sorted({name for name in names if names.count(name) > 1})]
    found += [f"{kind} name {name!r} is not a plain file name" for name in names if not name or "/" in name]
    return found


def _target_mistakes(target: Target) -> list[str]:
    found = []
    if not target.requests:
        found.append(f"target {target.name} has no request")
    if target.name.startswith(LAG_LOG) or target.name.endswith(f".{SERVICE_LOG}"):
        found.append(f"target {target.name} has the name of another log")
    if target.connections < 1:
        found.append(f"target {target.name} has no connection")
    if not 0 < target.port < 65536:
        found.append(f"target {target.name}: {target.port} is not a port")
    if not target.weight > 0 or not all(request.weight > 0 for request in target.requests):
        found.append(f"target {target.name}: weights must be above zero")
    for request in target.requests:
        words = [request.path, *request.headers]
        if not request.path.startswith("/") or any(breaker in word for word in words for breaker in TOKEN_BREAKERS):
            found.append(f"target {target.name}: {request.path!r} or one of its headers is not valid in HTTP")
        if any("\r" in value or "\n" in value for value in (request.content_type, *request.headers.values())):
            found.append(f"target {target.name}: a header value of {request.path!r} spans lines")
    return found


def _phase_mistakes(phase: Phase, plan: LoadPlan) -> list[str]:
    if phase.warm_s != 0 and not 0 < phase.warm_s < phase.duration_s:
        return [f"phase {phase.name}: the warm-up must be shorter than the phase, and not below zero"]
    if isinstance(phase, OpenPhase):
        if not phase.rate or not phase.step_s > 0 or not all(0 <= rate < float("inf") for rate in phase.rate):
            return [f"phase {phase.name}: the rate curve needs cells of finite, non-negative rates and a positive step"]
        return []
    found = []
    if phase.concurrency < plan.processes or phase.concurrency > plan.connections:
        limits = f"{plan.processes} to {plan.connections}"
        found.append(f"phase {phase.name}: concurrency must be {limits}, the processes and connections of the plan")
    if not phase.duration_s > 0 or phase.think_s < 0 or phase.requests_per_s_max < 1:
        found.append(f"phase {phase.name}: duration and bound must be above zero, think time not below it")
    return found
