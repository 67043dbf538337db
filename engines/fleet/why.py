"""Why an engine is as it is: from what is known of every unit to the one cause at the root.  Pure.

An engine stands on its buses and on the engines that it starts after.  From the engine that was asked about, the walk
goes down to what keeps it, and ends at the first unit whose trouble is its own.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from engines.wire.health import Check

Kind = Literal[
    "healthy", "degraded", "halted", "starting", "stopping", "waiting", "restarting", "failed", "silent", "port",
    "not-asked", "stopped", "down", "killed",
]  # fmt: skip
_UP = frozenset({"ready", "degraded", "halted", "external"})
_IDLE = frozenset({"", "declared", "stopped"})
_ENDED = frozenset({"crashed", "backoff", "stopped"})
# Of several things that an engine waits for, the one that will not mend itself comes first.
_GRAVITY = {"failed": 0, "crashed": 1, "backoff": 1, "stopped": 2, "": 2, "declared": 2, "stopping": 3, "starting": 4}
_LINES = 5
_PLAIN = frozenset({"healthy", "not-asked", "stopping", "stopped", "down"})  # the log has nothing to add


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an engine or a bus.  `state` is the last that was seen; empty: none ever was."""

    name: str
    state: str = ""
    wanted: bool = True
    bus: bool = False
    after: tuple[str, ...] = ()  # what it stands on, buses included
    waits_for: tuple[str, ...] = ()  # of these, what it was seen to wait for
    cause: str = ""  # of its last end
    uptime_s: float | None = None
    boot_s: float | None = None  # its budget to become ready
    restarts: int = 0
    port: int | None = None
    holder: str = ""  # of that port, when it is held by another process
    health: str = ""  # its own report's status; empty: not asked
    checks: tuple[Check, ...] = ()  # those of its report that are not ok
    silence: str = ""  # why it gave no report
    lines: tuple[str, ...] = ()  # the last of its log
    bundle: str = ""  # folder of its newest crash bundle


class Facts(NamedTuple):
    """What is known of the fleet.  `ended`: how its last supervisor ended, `""` while one runs, `"killed"` if it did
    not say why; `asked`: the operator's last stop, in words."""

    fleet: str
    units: Mapping[str, Unit]
    ended: str = ""
    asked: str = ""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.why/1` document.  `chain`: from the engine to the root, each standing on the next."""

    schema: str = "nautilus.why/1"
    fleet: str
    engine: str
    healthy: bool
    kind: Kind
    root: str
    chain: tuple[str, ...]
    what: str
    why: str
    next: str
    evidence: tuple[str, ...] = ()
    last_lines: tuple[str, ...] = ()
    bundle: str = ""


class _Found(NamedTuple):
    kind: Kind
    what: str
    why: str
    next: str


def diagnose(facts: Facts, engine: str) -> Diagnosis:
    """The root of an engine's trouble, or that it has none."""
    chain = _chain(facts, engine)
    root = facts.units[chain[-1]]
    found = _judge(facts, root)
    telling = found.kind not in _PLAIN
    return Diagnosis(
        fleet=facts.fleet,
        engine=engine,
        healthy=found.kind == "healthy",
        kind=found.kind,
        root=root.name,
        chain=chain,
        what=found.what,
        why=found.why,
        next=found.next,
        evidence=tuple(text for name in chain for text in _evidence(facts.units[name])),
        last_lines=root.lines[-_LINES:] if telling else (),
        bundle=root.bundle if telling else "",
    )


def _chain(facts: Facts, engine: str) -> tuple[str, ...]:
    """From the engine down to the unit whose trouble is its own."""
    chain = [engine]
    while (below := _blocker(facts, facts.units[chain[-1]])) and below not in chain:
        chain.append(below)
    return tuple(chain)


def _blocker(facts: Facts, unit: Unit) -> str:
    """What a unit stands on and what keeps it; empty when its trouble is its own, or it has none."""
    down = [facts.units[name] for name in unit.after if name in facts.units and facts.units[name].state not in _UP]
    down.sort(key=lambda other: _GRAVITY.get(other.state, 5))
    if facts.ended:  # everything is down: only what was given up before is a cause
        down = [other for other in down if _doomed(facts, other, (unit.name,))]
    elif _content(unit):
        down = []
    elif unit.state in _ENDED or (unit.state == "starting" and not unit.waits_for):
        # It ended by itself, or it waits for nobody: only a bus that it lost can be the cause.
        down = [other for other in down if other.bus]
    return down[0].name if down and unit.state not in ("failed", "stopping") else ""


def _doomed(facts: Facts, unit: Unit, seen: tuple[str, ...]) -> bool:
    """It was given up, or stands on what was."""
    if unit.state == "failed":
        return True
    below = [facts.units[name] for name in unit.after if name in facts.units and name not in seen]
    return any(_doomed(facts, other, (*seen, unit.name)) for other in below)


def _content(unit: Unit) -> bool:
    """Nothing is wrong with it, or nobody wants it to run."""
    if not unit.wanted:
        return True
    return unit.state in ("ready", "external") and unit.health in ("", "healthy") and not unit.silence


def _judge(facts: Facts, unit: Unit) -> _Found:
    """One unit's own trouble."""
    if unit.state == "failed":
        return _failed(facts, unit)
    if facts.ended:
        return _down(facts, unit)
    if unit.holder and unit.state not in _UP:
        return _port(unit)
    if unit.state in ("crashed", "backoff"):
        return _restarting(unit)
    if unit.state == "starting":
        return _starting(unit)
    if unit.state == "stopping":
        return _Found(
            "stopping", f"{unit.name} is being stopped.", facts.asked, f"nautilus wait {unit.name} --for stopped"
        )
    if unit.state in _IDLE:
        return _idle(facts, unit)
    return _up(unit)


def _failed(facts: Facts, unit: Unit) -> _Found:
    if unit.holder:
        return _port(unit)
    verb = "nautilus up" if unit.bus or facts.ended else f"nautilus restart {unit.name}"
    why = f"{unit.cause or 'Its end was not seen'}."
    return _Found("failed", f"{unit.name} was given up.", why, f"nautilus logs {unit.name}, mend it, then: {verb}")


def _down(facts: Facts, unit: Unit) -> _Found:
    if facts.ended == "killed":
        why = "Its supervisor ended without stopping it: it was killed, or the machine went down."
        return _Found("killed", f"Fleet {facts.fleet!r} is down.", why, "nautilus up  (it resumes from the streams)")
    why = facts.asked or "Its supervisor stopped it."
    return _Found(
        "down", f"Fleet {facts.fleet!r} is down.", why, f"nautilus up {'' if unit.bus else unit.name}".strip()
    )


def _port(unit: Unit) -> _Found:
    return _Found(
        "port",
        f"{unit.name} cannot listen on port {unit.port}.",
        f"It is held by {unit.holder}.",
        "End that process, or move the fleet: nautilus down && nautilus up --port-offset 20000",
    )


def _restarting(unit: Unit) -> _Found:
    what = f"{unit.name} has crashed and will be started again."
    return _Found("restarting", what, f"{unit.cause or 'Its end was not seen'}.", f"nautilus logs {unit.name}")


def _starting(unit: Unit) -> _Found:
    if unit.waits_for:
        others = ", ".join(unit.waits_for)
        return _Found("waiting", f"{unit.name} waits for {others}.", "", f"nautilus wait {unit.name} --for ready")
    spent = f"{unit.uptime_s:.1f} s" if unit.uptime_s is not None else "some time"
    budget = f" of the {unit.boot_s:g} s that its manifest gives it" if unit.boot_s is not None else ""
    again = f"  Its last end: {unit.cause}." if unit.cause else ""
    what = f"{unit.name} is still starting."
    return _Found("starting", what, f"It has taken {spent}{budget}.{again}", f"nautilus wait {unit.name} --for ready")


def _idle(facts: Facts, unit: Unit) -> _Found:
    again = f"nautilus up {unit.name}"
    if not unit.wanted and unit.state != "stopped":
        return _Found("not-asked", f"{unit.name} was not asked for.", "Only some engines were started.", again)
    why = (
        f"It ended: {unit.cause}; its manifest does not have it restarted."
        if unit.wanted and unit.cause
        else facts.asked
    )
    return _Found("stopped", f"{unit.name} is stopped.", why, again)


def _up(unit: Unit) -> _Found:
    if unit.silence:
        why = f"It runs, but GET /health gave no answer: {unit.silence}."
        return _Found(
            "silent",
            f"{unit.name} does not answer.",
            why,
            f"nautilus logs {unit.name}, then: nautilus restart {unit.name}",
        )
    wrong = "; ".join(f"{check.name}: {check.detail or check.status}" for check in unit.checks)
    if "halted" in (unit.state, unit.health):
        why = wrong or "No check says why."
        return _Found(
            "halted", f"{unit.name} is halted: no order leaves it.", f"{why.rstrip('.')}.", f"nautilus logs {unit.name}"
        )
    if "degraded" in (unit.state, unit.health):
        failing = [check.name for check in unit.checks if check.status == "fail"]
        what = f"{unit.name} is degraded{': ' + ', '.join(failing) + ' fails' if failing else ''}."
        return _Found(
            "degraded", what, f"{wrong}." if wrong else "No check of its report says why.", f"nautilus logs {unit.name}"
        )
    return _Found("healthy", f"{unit.name} is healthy.", "", "")


def _evidence(unit: Unit) -> list[str]:
    """What was seen of a unit, one fact a line."""
    since = f" for {unit.uptime_s:.0f} s" if unit.uptime_s is not None and unit.state in _UP else ""
    again = f", restarted {unit.restarts} times" if unit.restarts > 1 else ", restarted once" if unit.restarts else ""
    facts = [f"{unit.name}: {unit.state or 'never started'}{since}{again}"]
    if unit.cause:
        facts.append(f"{unit.name}: last end: {unit.cause}")
    if unit.health:
        facts.append(f"{unit.name}: GET /health says {unit.health}")
    if unit.waits_for:
        facts.append(f"{unit.name}: waits for {', '.join(unit.waits_for)}")
    facts += [f"{unit.name}: check {check.name} {check.status}: {check.detail}".rstrip(": ") for check in unit.checks]
    if unit.holder:
        facts.append(f"{unit.name}: port {unit.port} is held by {unit.holder}")
    return facts
