"""Wait until engines are ready, healthy or stopped, and stop waiting as soon as that cannot come true."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from engines.fleet import control, evidence, folders
from engines.fleet.control import Request
from engines.fleet.errors import TimedOut
from engines.fleet.folders import Folders
from engines.fleet.probe import probe
from engines.fleet.status import EngineStatus, FleetStatus
from engines.wire.errors import NautilusError, NotRunning, UnknownName
from engines.wire.manifest import Manifest

Target = Literal["healthy", "ready", "stopped"]
_UP = frozenset({"ready", "degraded", "halted"})
_GONE = frozenset({"declared", "stopped", "failed"})
_ASK_S = 0.5  # health tells no events: it is asked again so often, once all are ready
_BIRTH_S = 0.02  # a supervisor that holds its lock but does not answer yet is asked again so often


class Impossible(NautilusError):
    """What is waited for cannot come true without an operator."""


class Judgement(NamedTuple):
    """Engines that are not there yet; of these, those that never will be."""

    missing: tuple[str, ...] = ()
    hopeless: tuple[str, ...] = ()


def judge(now: FleetStatus, engines: Sequence[str], target: Target) -> Judgement:
    """How far the named engines are, or with none all that were asked for.  Pure.

    Raises:
        UnknownName: there is no such engine.
    """
    known = {engine.name: engine for engine in now.engines}
    for name in engines:
        if name not in known:
            raise UnknownName("engine", name, known)
    chosen = [known[name] for name in engines] or list(now.wanted)
    if target == "stopped":
        return Judgement(tuple(each.name for each in chosen if each.state not in _GONE))
    there = _UP if target == "ready" else {"ready"}
    missing = tuple(each.name for each in chosen if each.state not in there)
    lost = {f"bus-{bus.name}" for bus in now.buses if bus.state == "failed"}
    return Judgement(missing, tuple(name for name in missing if lost or _hopeless(known, known[name], ())))


def _hopeless(known: Mapping[str, EngineStatus], engine: EngineStatus, seen: tuple[str, ...]) -> bool:
    """It was given up, is not to run, or waits for one of which that is true."""
    if engine.state in ("failed", "stopped") or (engine.state == "declared" and not engine.wanted):
        return True
    if not engine.wanted or engine.name in seen:
        return not engine.wanted
    others = [known[name] for name in engine.waits_for if name in known]
    return engine.state in ("declared", "starting") and any(_hopeless(known, o, (*seen, engine.name)) for o in others)


class Waiting:
    """One wait.  `manifests` None: those that `discover` finds."""

    def __init__(self, name: str, engines: Sequence[str], target: Target, *, home: Path | None = None,
                 manifests: Sequence[Manifest] | None = None) -> None:  # fmt: skip
        self._name = name
        self._engines = tuple(engines)
        self._target = target
        self._home = home
        self._where = folders.of(name, home)
        self._manifests = manifests

    def run(self, timeout: float, hear: Callable[[tuple[str, ...]], None] | None = None) -> None:
        """Return when it is true.  `hear` gets the engines that are missing, each time something has happened.

        Raises:
            Impossible: it cannot come true: why, and what to type.
            TimedOut: it did not come true in time.
            NotRunning: the fleet was never up.
            UnknownName: there is no such engine.
        """
        until = time.monotonic() + timeout
        while (now := self._status(until)) is not None:
            found = judge(now, self._engines, self._target)
            missing = found.missing or self._unhealthy(now)
            if hear is not None:
                hear(missing)
            if not missing:
                return
            if found.hopeless:
                raise self._impossible(found.hopeless[0])
            left = until - time.monotonic()
            if left <= 0:
                raise self._late(missing, timeout)
            self._pause(now, min(left, _ASK_S) if not found.missing else left)
        if self._target != "stopped":
            raise self._impossible(self._engines[0] if self._engines else "")

    def _status(self, until: float) -> FleetStatus | None:
        """The fleet now; None when it is down.  One that is just being born is waited for."""
        while True:
            try:
                return control.call(self._where.control, Request(op="status"), FleetStatus)
            except NotRunning:
                if self._target == "stopped" or not _locked(self._where) or time.monotonic() > until:
                    return None
            time.sleep(_BIRTH_S)

    def _pause(self, now: FleetStatus, timeout: float) -> None:
        """Until something happens that a status does not show yet, or the time is over."""
        with contextlib.suppress(TimeoutError, NotRunning):
            for event in control.events(self._where.control, 0, timeout):
                if event.elapsed_s >= now.supervisor.uptime_s - 0.001:  # the rest is history; uptime is in whole ms
                    return

    def _unhealthy(self, now: FleetStatus) -> tuple[str, ...]:
        """Engines that are ready, but whose own report says something else."""
        if self._target != "healthy":
            return ()
        chosen = [each for each in now.engines if each.name in self._engines] or now.wanted
        return tuple(report.name for report in probe(chosen, now.host) if report.status != "healthy")

    def _impossible(self, engine: str) -> NautilusError:
        if not engine:
            why = f"Fleet {self._name!r} is not running."
            return Impossible(f"No engine can become {self._target}.", why, "Start it: nautilus up")
        found = evidence.diagnose(self._name, engine, home=self._home, manifests=self._manifests)
        trail = f"{' <- '.join(found.chain)}: " if len(found.chain) > 1 else ""
        why = f"{trail}{found.what} {found.why}".strip()
        return Impossible(f"{engine} cannot become {self._target}.", why, found.next)

    def _late(self, missing: tuple[str, ...], timeout: float) -> TimedOut:
        found = evidence.diagnose(self._name, missing[0], home=self._home, manifests=self._manifests)
        what = f"Not {self._target} within {timeout:g} s: {', '.join(missing)}."
        return TimedOut(what, f"{found.what} {found.why}".strip(), f"nautilus why {missing[0]}")


def _locked(where: Folders) -> bool:
    """Whether a supervisor holds the fleet's lock."""
    try:
        lock = os.open(where.lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
