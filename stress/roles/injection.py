"""Injects faults into one run's fleet, takes them back whatever happens, and stamps the way back from each."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from engines.fleet import process
from engines.fleet.process import Identity
from engines.fleet.status import EngineHealth
from engines.wire.bus import START, Bus, parse_id
from engines.wire.errors import NautilusError
from engines.wire.manifest import Manifest
from engines.wire.messages import TOPICS
from reports import records
from stress.faults.fault import SUPERVISOR, Done, Fault, Kind, touched
from stress.faults.kinds import KINDS
from stress.faults.level import Duty, Look, Regain
from stress.faults.undo import UndoJournal
from stress.faults.watch import Watch
from stress.history.stamp import stamp
from stress.run import Run

T = TypeVar("T")
_POLL_S = 0.02
_LOOK_S = 0.05
_STEADY_S = 30.0


class Struck(NamedTuple):
    """A fault that was injected at `at_ns` and healed, if it lasts; `before` was its target's process."""

    fault: Fault
    at_ns: int
    healed_ns: int | None
    before: Identity | None


class Due(NamedTuple):
    """A fault of a schedule: at `at_s` seconds of its window; `kind` None: the one of its name."""

    at_s: float
    fault: Fault
    kind: Kind | None = None


Drained = asyncio.Task[int | None]


class Back(NamedTuple):
    """When all engines that a fault touched were healthy and when all kept their level; `drained` tells the rest."""

    healthy_ns: int | None
    regained_ns: int | None
    drained: Drained | None


class Injection:
    """The faults of one phase.  `title` is that phase's; `limit_s` the longest wait for each step of a recovery.

    `keep` says whether the health that is asked for meanwhile is recorded; `every_s` how often it is asked for.
    """

    def __init__(self, run: Run, title: str, limit_s: float, *, keep: bool = True, every_s: float = 0.1) -> None:
        self.run = run
        self.journal = UndoJournal(run.folder)
        self._title, self._limit_s, self._keep = title, limit_s, keep
        self._engines = [manifest.name for manifest in run.manifests()]
        self._buses: dict[str, Bus] = {name: run.fleet.bus(name) for name in ("main", "market")}
        self._doing = "health"
        self._loop = asyncio.get_running_loop()
        self._watch = Watch(run.fleet.events, run.fleet.health, self._probed, every_s)

    async def close(self) -> None:
        """Take back what is still in force, and stop watching."""
        await _whole(self._heal_pending)
        await asyncio.to_thread(self._watch.close)
        for bus in self._buses.values():
            await bus.close()

    async def after(self, fault: Fault, rest_s: float) -> None:
        """Once all is steady: injection, proof, healing, recovery; then a rest."""
        await self._within(self._steady, _STEADY_S)
        self.run.add(await self.one(fault))
        await asyncio.sleep(rest_s)

    async def schedule(self, faults: Sequence[Due], start_ns: int) -> None:
        """Each fault at its time (s after `start_ns` of CLOCK_MONOTONIC), beside each other; then their recoveries."""

        async def at(due: Due) -> None:
            await asyncio.sleep(max(0.0, start_ns / 1e9 + due.at_s - time.monotonic()))
            self.run.add(await self.one(due.fault, due.kind))

        try:
            async with asyncio.TaskGroup() as group:
                for due in faults:
                    group.create_task(at(due))
        except* NautilusError as several:
            raise several.exceptions[0] from None

    async def one(self, fault: Fault, kind: Kind | None = None) -> records.Recovery:
        """Injection, proof, healing and recovery: all of it recorded but the recovery, which is returned.

        The engines that it touches are excused until they are back, or not back in time.
        """
        self._doing = f"{fault.kind} {fault.target}"
        self.run.say(self._title, self._doing)
        self.run.excused.begin(fault.id, touched(fault.target, self._engines))
        struck = await self._strike(fault, kind or KINDS[fault.kind])
        return await self._recovery(struck)

    async def _strike(self, fault: Fault, kind: Kind) -> Struck:
        began, before = time.monotonic_ns(), None
        try:
            await asyncio.to_thread(self.run.fleet.refresh)
            pid = self.run.fleet.pids().get(fault.target)
            before = None if pid is None else process.identify(pid)
            done = await _whole(lambda: kind.inject(fault, self.run.fleet, self.journal))
        except NautilusError as error:  # the rig failed, and says so; what it left pending is healed at the end
            done = Done(began, False, f"not injected: {error}")
        self._record(fault, "inject", done)
        undo = done.undo
        if undo is None:
            return Struck(fault, done.at_ns, None, before)
        try:
            await asyncio.sleep(max(0.0, done.at_ns / 1e9 + (fault.for_s or 0.0) - time.monotonic()))
        finally:
            back = await _whole(lambda: kind.heal(undo, self.journal))
            self._record(fault, "heal", back)
        return Struck(fault, done.at_ns, back.at_ns, before)

    def _heal_pending(self) -> None:
        for undo in self.journal.pending():
            KINDS[undo.kind].heal(undo, self.journal)

    # ------------------------------------------------------------------------------------------- the way back
    async def _recovery(self, struck: Struck) -> records.Recovery:
        """Wait for each step; what does not come in time stays unknown, and so do the steps after it."""
        fault, injected = struck.fault, struck.at_ns
        engines = touched(fault.target, self._engines)
        if fault.target == SUPERVISOR and self._ended(struck):
            await asyncio.to_thread(self.run.fleet.up, lambda _event: None)
        needed = self._ended(struck)
        restarted = await self._stamp(lambda: self._restarted(struck), self._limit_s) if needed else None
        since = max(at for at in (injected, struck.healed_ns, restarted) if at is not None)
        back = Back(None, None, None)
        if restarted is not None or not needed:
            back = await self._way_back(fault.id, engines, since)
        self.run.excused.end(fault.id)
        return records.Recovery(
            **stamp(),
            id=fault.id,
            kind=fault.kind,
            target=fault.target,
            engines=engines,
            injected_ns=injected,
            healed_ns=struck.healed_ns,
            detected_ns=self._detected(fault, injected, engines),
            restarted_ns=restarted,
            healthy_ns=back.healthy_ns,
            regained_ns=back.regained_ns,
            drained_ns=await back.drained if back.drained is not None else None,
        )

    async def _way_back(self, fault: str, engines: Sequence[str], since: int) -> Back:
        """Look until all keep their service level again, or do not in time; each engine's own times are recorded."""
        duties = {each.name: _duty(each) for each in self.run.manifests() if each.name in set(engines)}
        regain, healthy, drained = Regain(duties), None, None
        until = time.monotonic() + self._limit_s
        while time.monotonic() < until and (healthy is None or regain.missing):
            try:
                regain.look(await self._look(duties, since))
            except NautilusError:  # a bus is just being replaced
                regain.blind()
            drained = self._draining(drained, regain.holding)
            if healthy is None and (healthy := self._all_well(engines, since)) is not None:
                until = time.monotonic() + self._limit_s
            await asyncio.sleep(_LOOK_S)
        for name, duty in duties.items():
            self._record_engine(fault, name, duty, self._watch.well(name, since), regain.at.get(name))
        if healthy is None or regain.missing:
            self._draining(drained, holding=False)
            return Back(healthy, None, None)
        return Back(healthy, max(regain.at.values()), drained)

    def _draining(self, begun: Drained | None, holding: bool) -> Drained | None:
        """The wait until nobody is behind what was there when the level was kept; anew where it was not kept on."""
        if holding:
            return begun or asyncio.create_task(self._caught_up(self._engines, self._limit_s))
        if begun is not None:
            begun.cancel()
        return None

    async def _look(self, duties: Mapping[str, Duty], since: int) -> Look:
        """The buses' ends and the engines' places in them.  Raises NautilusError: a bus does not answer."""
        asked = time.monotonic_ns()
        topics = {topic for duty in duties.values() for topic in (*duty.consumes, *duty.feeds)}
        ends = await self._ends(topics)
        cursors = {}
        for name in duties:
            saved = await self._buses["main"].saved(name)
            cursors[name] = {topic: parse_id(cursor) for topic, cursor in saved.cursors.items()}
        answering = (n for n, duty in duties.items() if self._watch.answering(n, duty.level.answer_ms, since))
        return Look(asked, time.monotonic_ns(), ends, cursors, frozenset(answering))

    def _ended(self, struck: Struck) -> bool:
        """Whether the target's process is another one now, or about to be."""
        if struck.before is not None and not process.alive(struck.before):
            return True
        return self._watch.lost(struck.fault.target, struck.at_ns) is not None

    def _restarted(self, struck: Struck) -> int | None:
        if struck.fault.target == SUPERVISOR:
            return time.monotonic_ns()  # `up` has returned
        return self._watch.back(struck.fault.target, struck.at_ns)

    def _detected(self, fault: Fault, injected: int, engines: Iterable[str]) -> int | None:
        seen = [self._watch.lost(fault.target, injected)]
        seen += [self._watch.unwell(engine, injected) for engine in engines]
        return min((at for at in seen if at is not None), default=None)

    def _all_well(self, engines: Sequence[str], since: int) -> int | None:
        seen = [self._watch.well(engine, since) for engine in engines]
        known = [at for at in seen if at is not None]
        return max(known) if len(known) == len(seen) else None

    async def _steady(self) -> bool:
        """Everyone is up by the supervisor's word and takes messages."""
        status = await asyncio.to_thread(self.run.fleet.refresh)
        if any(engine.state != "ready" for engine in status.wanted):
            return False
        return await self._reached(await self._ends(), self._engines, 1.0) is not None

    async def _caught_up(self, engines: Iterable[str], limit_s: float) -> int | None:
        """When these engines had taken everything that was there when this was asked."""
        ends: dict[str, tuple[int, int]] = {}

        async def known() -> bool:
            ends.update(await self._ends())  # a bus that is just being replaced is asked again
            return True

        return await self._reached(ends, engines, limit_s) if await self._within(known, limit_s) else None

    async def _ends(self, topics: Iterable[str] = TOPICS) -> dict[str, tuple[int, int]]:
        """The last entry of every topic, or of some."""
        return {topic: parse_id((await self._buses[TOPICS[topic]].stats(topic)).last) for topic in topics}

    async def _reached(self, ends: dict[str, tuple[int, int]], engines: Iterable[str], limit_s: float) -> int | None:
        """When these engines had taken everything up to `ends`; marketdata has also published beyond it."""
        chosen = [manifest for manifest in self.run.manifests() if manifest.name in set(engines)]

        async def all_there() -> bool:
            for manifest in chosen:
                cursors = (await self._buses["main"].saved(manifest.name)).cursors
                if any(parse_id(cursors.get(topic, START)) < ends[topic] for topic in manifest.consumes):
                    return False
                if manifest.name == "marketdata":
                    last = parse_id((await self._buses["market"].stats("trades")).last)
                    if last <= ends["trades"]:
                        return False
            return True

        return time.monotonic_ns() if await self._within(all_there, limit_s) else None

    async def _within(self, holds: Callable[[], Awaitable[bool]], limit_s: float) -> bool:
        until = time.monotonic() + limit_s
        while time.monotonic() < until:
            with contextlib.suppress(NautilusError):  # a bus or the supervisor is just being replaced: ask again
                if await holds():
                    return True
            await asyncio.sleep(_POLL_S)
        return False

    async def _stamp(self, look: Callable[[], int | None], limit_s: float) -> int | None:
        """When something was seen; None when it was not in time."""
        found: list[int] = []

        async def seen() -> bool:
            at = look()
            found.extend(() if at is None else (at,))
            return at is not None

        await self._within(seen, limit_s)
        return found[0] if found else None

    def _record(self, fault: Fault, event: str, done: Done) -> None:
        self.run.add(
            records.Fault(
                **stamp(),
                id=fault.id,
                kind=fault.kind,
                target=fault.target,
                event="inject" if event == "inject" else "heal",
                proven=done.proven,
                proof=done.proof,
            )
        )

    def _record_engine(self, fault: str, name: str, duty: Duty, healthy: int | None, regained: int | None) -> None:
        self.run.add(
            records.EngineRecovery(
                **stamp(),
                id=fault,
                engine=name,
                answer_ms=duty.level.answer_ms,
                fresh_ms=duty.level.fresh_ms,
                healthy_ns=healthy,
                regained_ns=regained,
            )
        )

    def _probed(self, answers: Iterable[EngineHealth]) -> None:
        if self._keep:  # else the phase asks for health itself
            told = tuple(answers)
            self.run.keep(told, self._title)
            self._loop.call_soon_threadsafe(self.run.show, told, self._title, self._doing)


def _duty(manifest: Manifest) -> Duty:
    return Duty(manifest.level, manifest.consumes, ("trades",) if manifest.name == "marketdata" else ())


async def _whole(function: Callable[[], T]) -> T:
    """Run in a thread to its end, even when whoever waits is cancelled: a fault is never left half done."""
    task = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with contextlib.suppress(NautilusError):
            await task
        raise
