"""Faults one after the other while a calm day is replayed, and the way back from each, stamped."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from engines.fleet.status import EngineHealth
from engines.wire.bus import START, Bus, parse_id
from engines.wire.errors import NautilusError
from engines.wire.messages import TOPICS
from reports import records
from stress.faults import processes
from stress.faults.fault import SUPERVISOR, Fault, pid_of, touched
from stress.faults.undo import UndoJournal
from stress.faults.watch import Watch
from stress.history.stamp import stamp
from stress.roles import account
from stress.roles.account import Account
from stress.run import Run
from stress.specs.faults import Faults

_POLL_S = 0.02
_CALM = ("10:00:00", "14:30:00")  # New York: hours without a crash, long enough for every fault
_STEADY_S = 30.0

Positions = dict[tuple[str, str], tuple[int, int]]


async def carry_out(run: Run, spec: Faults) -> None:
    """Replay, harm and watch, then account for every message."""
    began = time.monotonic()
    await _replay(run, spec)
    matrix = Matrix(run, spec)
    run.phase(spec.title, "start", measured=True)
    try:
        for number, (kind, target) in enumerate(spec.matrix()):
            run.go_on()
            await matrix.one(Fault(f"{number:03d}-{kind}-{target}", kind, target))
    finally:
        await matrix.close()
        run.phase(spec.title, "end", measured=True)
    run.go_on()
    replay = await _stop_replay(run)
    await account.carry_out(run, Account(f"{spec.title}-after", spec.title, f"r{replay}/window", began, spec.drain_s))


async def _replay(run: Run, spec: Faults) -> None:
    """Calm hours of a day at a constant speed, and messages flowing."""
    window = {"start": _CALM[0], "end": _CALM[1], "speed": spec.speed}
    request = {"scenario": spec.scenario, "seed": run.seed, "window": window}
    await asyncio.to_thread(run.fleet.post, "marketdata", "/replay", request)
    until = time.monotonic() + _STEADY_S
    while time.monotonic() < until:
        status = await asyncio.to_thread(run.fleet.get, "marketdata", "/replay")
        if status["state"] == "failed":
            break
        if status["segment"] == "window" and status["published"].get("trades"):
            return
        await asyncio.sleep(0.1)
    raise NautilusError("The replay did not begin.", str(status.get("error", "")), "Read logs/marketdata.log.")


async def _stop_replay(run: Run) -> int:
    await asyncio.to_thread(run.fleet.post, "marketdata", "/replay/stop", {})
    until = time.monotonic() + _STEADY_S
    while time.monotonic() < until:
        status = await asyncio.to_thread(run.fleet.get, "marketdata", "/replay")
        if status["state"] == "finished":
            return int(status["replay"])
        await asyncio.sleep(0.1)
    raise NautilusError("The replay did not stop.", str(status.get("error", "")), "Read logs/marketdata.log.")


class Matrix:
    """Injects faults into one run's fleet, each after the former one's recovery."""

    def __init__(self, run: Run, spec: Faults) -> None:
        self.run = run
        self.spec = spec
        self.engines = [manifest.name for manifest in run.manifests()]
        self.journal = UndoJournal(run.folder)
        self._buses: dict[str, Bus] = {name: run.fleet.bus(name) for name in ("main", "market")}
        self._watch = Watch(run.fleet.events, run.fleet.health, self._probed)

    async def close(self) -> None:
        """Stop watching, and take back what is still in force."""
        for undo in self.journal.pending():
            await asyncio.to_thread(processes.heal, undo, self.journal)
        await asyncio.to_thread(self._watch.close)
        for bus in self._buses.values():
            await bus.close()

    async def one(self, fault: Fault) -> None:
        """Steady state, injection, proof, healing, recovery: all of it recorded."""
        await self._within(self._steady, _STEADY_S)
        self.run.say(self.spec.title, f"{fault.kind} {fault.target}")
        status = await asyncio.to_thread(self.run.fleet.refresh)
        if fault.target in self.engines:
            await asyncio.to_thread(self.run.fleet.announce, fault.target, f"mission: {fault.kind}")
        done = await asyncio.to_thread(processes.inject, fault, pid_of(status, fault.target), self.journal)
        self._record(fault, "inject", done)
        healed = None
        if done.undo is not None:
            await asyncio.sleep(self.spec.pause_s)
            back = await asyncio.to_thread(processes.heal, done.undo, self.journal)
            self._record(fault, "heal", back)
            healed = back.at_ns
        self.run.add(await self._recovery(fault, done.at_ns, healed))
        await asyncio.sleep(self.spec.rest_s)

    async def _recovery(self, fault: Fault, injected: int, healed: int | None) -> records.Recovery:
        """Wait for each step; what does not come in time stays unknown, and so do the steps after it."""
        engines = touched(fault.target, self.engines)
        limit = self.spec.limit_s

        def detected() -> int | None:
            seen = [self._watch.lost(fault.target, injected)]
            seen += [self._watch.unwell(engine, injected) for engine in engines]
            return min((at for at in seen if at is not None), default=None)

        if fault.target == SUPERVISOR:
            await asyncio.to_thread(self.run.fleet.up, lambda _event: None)
        restarted_at = await self._stamp(lambda: self._restarted(fault, injected, healed), limit)
        since = restarted_at if restarted_at is not None else injected
        healthy_at = await self._stamp(lambda: self._all_well(engines, since), limit) if restarted_at else None
        regained_at = drained_at = None
        if healthy_at is not None:
            regained_at = await self._caught_up(engines, limit)
            if regained_at is not None:
                drained_at = await self._caught_up(self.engines, limit)
        return records.Recovery(
            **stamp(),
            id=fault.id,
            kind=fault.kind,
            target=fault.target,
            engines=engines,
            injected_ns=injected,
            healed_ns=healed,
            detected_ns=detected(),
            restarted_ns=restarted_at,
            healthy_ns=healthy_at,
            regained_ns=regained_at,
            drained_ns=drained_at,
        )

    def _restarted(self, fault: Fault, injected: int, healed: int | None) -> int | None:
        """A new process; or, after a pause that nobody answered with a restart, the old one running again."""
        if fault.target == SUPERVISOR:
            return time.monotonic_ns()  # `up` has returned
        back = self._watch.back(fault.target, injected)
        if back is not None or fault.kind != "pause":
            return back
        return healed if self._watch.lost(fault.target, injected) is None else None

    def _all_well(self, engines: Sequence[str], since: int) -> int | None:
        seen = [self._watch.well(engine, since) for engine in engines]
        known = [at for at in seen if at is not None]
        return max(known) if len(known) == len(seen) else None

    async def _steady(self) -> bool:
        """Everyone is up by the supervisor's word and takes messages."""
        status = await asyncio.to_thread(self.run.fleet.refresh)
        if any(engine.state != "ready" for engine in status.wanted):
            return False
        return await self._reached(await self._ends(), self.engines, 1.0) is not None

    async def _caught_up(self, engines: Iterable[str], limit_s: float) -> int | None:
        """When these engines had taken everything that was there when this was asked."""
        ends: dict[str, tuple[int, int]] = {}

        async def known() -> bool:
            ends.update(await self._ends())  # a bus that is just being replaced is asked again
            return True

        return await self._reached(ends, engines, limit_s) if await self._within(known, limit_s) else None

    async def _ends(self) -> dict[str, tuple[int, int]]:
        """The last entry of every topic."""
        return {topic: parse_id((await self._buses[bus].stats(topic)).last) for topic, bus in TOPICS.items()}

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
            try:
                if await holds():
                    return True
            except NautilusError:
                pass  # a bus or the supervisor is just being replaced: ask again
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

    def _record(self, fault: Fault, event: str, done: processes.Done) -> None:
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

    def _probed(self, answers: Iterable[EngineHealth]) -> None:
        self.run.keep(answers, self.spec.title)
