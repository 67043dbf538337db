"""Runs a mission: a plan in, a sealed run folder out.  `run` is the whole interface.

Boot, idle health, calibration, then the tape and the load side by side, then drain, account, stop, seal, render,
verify.  Everything that is measured goes to the history as it happens; nothing in a report comes from memory.
The first Ctrl-C ends the phase under way, stops the fleet, and seals what was measured as interrupted (stress.ending).
What a role raises unforeseen ends it too, and is sealed as broken (stress.broken).
"""

import asyncio
import contextlib
import datetime
import signal
from pathlib import Path
from typing import Literal

import msgspec

from engines.fleet import process
from engines.wire.errors import NautilusError
from engines.wire.version import VERSION
from reports import records, runs, signature
from stress import broken, thresholds, witness
from stress.attached import attached
from stress.claim import Holder, run_folder
from stress.ending import Asked, end_fleet, heard
from stress.finish import finish
from stress.fleet import MissionFleet
from stress.guard import Guard
from stress.history.journal import History
from stress.history.samples import Sampler
from stress.history.stamp import stamp
from stress.host import host_record
from stress.mission import Mission
from stress.options import Options
from stress.place import FLEET
from stress.plan import plan
from stress.programs import programs
from stress.progress import Listener
from stress.roles import carry_out, prepare
from stress.run import Run
from stress.running import Beacon, Running, me, utc_now


class Outcome(msgspec.Struct, frozen=True):
    """What came of a run.  `interrupted`: by which signal; `document`: its `nautilus.run/1` JSON; `broke`: what its own
    code raised.
    """

    run_id: str
    folder: Path
    verdict: str
    verified: bool
    interrupted: signal.Signals | None
    report: Path
    document: dict[str, object]
    broke: broken.Breakdown | None = None


def run(mission: Mission, options: Options, on_progress: Listener) -> Outcome:
    """Run a mission to its end, or to the first signal that asks for it; all of them wait until the run is sealed.

    Raises:
        AttachRefused, FleetTaken: the fleet to attach to cannot be had.
        NautilusError: the fleet cannot start, or the record cannot be written.
        ReportError: the signing key of the environment is none.
    """
    key = signature.key_of()
    with (
        heard() as asked,
        run_folder(options.runs, f"{datetime.datetime.now().astimezone():%Y%m%d_%H%M%S}_{mission.name}") as folder,
        _fleet(mission, options, folder) as fleet,
    ):
        with History.open(folder) as history:
            beacon = Beacon(folder, _state(mission, options, folder, fleet, history), on_progress)
            _begin(history, mission, options, folder.name)
            sampler = Sampler(folder, fleet.pids)
            guard = Guard(mission.varied(quick=options.quick, full=options.full), fleet.pids, beacon)
            fleet.run_id = folder.name  # before its first request
            going = Run(mission, options, folder, fleet, history, guard)
            ended, broke = asyncio.run(_drive(going, sampler, guard, asked))
            history.append(ended)
        going.say("close", "sealing and rendering; Ctrl-C waits for it")
        fleet.keep_logs(folder / "logs")
        checked = finish(folder, key, plots=options.plots)
        beacon.close()
    document = msgspec.json.decode((folder / runs.RESULTS).read_bytes(), type=dict[str, object])
    return Outcome(
        run_id=folder.name,
        folder=folder,
        verdict=str(document["verdict"]),
        verified=checked.ok,
        interrupted=asked.first if ended.status == "interrupted" else None,
        report=folder / runs.REPORT_MD,
        document=document,
        broke=broke,
    )


def _fleet(mission: Mission, options: Options, folder: Path) -> contextlib.AbstractContextManager[MissionFleet]:
    """A fleet of the mission's own, or the one that it is to attach to."""
    if options.attach is None:
        return contextlib.nullcontext(MissionFleet(folder / FLEET))
    return attached(options.attach, Holder(me(), str(folder), utc_now()), mission)


def _state(mission: Mission, options: Options, folder: Path, fleet: MissionFleet, history: History) -> Running:
    return Running(
        run_id=folder.name,
        mission=mission.name,
        title=mission.title,
        process=me(),
        writer=process.identify(history.writer_pid),
        boot=process.boot_id(),
        begun=utc_now(),
        phase="boot",
        elapsed_s=0.0,
        planned_s=plan(mission, options).seconds,
        home=str(fleet.home),
        fleet=fleet.name,
        attached=fleet.attached,
    )


def _begin(history: History, mission: Mission, options: Options, run_id: str) -> None:
    """The first records: what was asked for, and on which machine."""
    what = plan(mission, options)
    history.append(
        records.Run(
            **stamp(),
            run_id=run_id,
            mission=mission.name,
            title=mission.title,
            seed=what.seed,
            quick=options.quick,
            full=options.full,
            version=VERSION,
            argv=list(options.argv),
            engines=[manifest.name for manifest in Run.manifests()],
            replaced={manifest.name: manifest.origin for manifest in Run.manifests() if manifest.origin},
            foreign=programs(Run.manifests()),
            publishers=Run.publishers(),
            criteria=[records.CriterionTarget(id=c.id, target=c.target) for c in mission.criteria],
            thresholds=thresholds.declared(mission.varied(quick=options.quick, full=options.full).phases),
            plan=msgspec.to_builtins(mission),
            expect=records.Expect(
                halts=[
                    records.HaltKey(
                        kind=halt.kind,
                        level=halt.level or None,
                        symbol=halt.symbol,
                        day=None if halt.day is None else halt.day.isoformat(),
                    )
                    for halt in mission.expect.halts
                ],
                alerts=list(mission.expect.alerts),
                denials=list(mission.expect.denials),
                ledger=[
                    records.LedgerKey(bus=bus, topic=topic, consumer=consumer)
                    for bus, topic, consumer in Run.consumers()
                ],
            ),
        )
    )
    history.append(host_record())


class _Helm:
    """Ends the phases under way, for the operator or for the mission's own abort conditions; once they end, nothing."""

    def __init__(self, going: Run, guard: Guard, asked: Asked) -> None:
        self._going, self._guard, self._asked = going, guard, asked
        self._main = asyncio.current_task()
        self._steering, self._told = True, False

    def signalled(self) -> None:
        """A signal came."""
        if self._asked.hurry:
            self._going.say("stopping", "without grace")
        elif not self._told:
            self._told = True
            self._turn("the fleet stops; what was measured is kept; Ctrl-C again skips the grace")

    def abort(self, held: records.Abort) -> None:
        """A condition of the mission holds."""
        self._going.add(held)
        self._turn(f"aborted: {self._guard.words}")

    def let_go(self) -> None:
        """From here on the mission ends anyway: nothing may cut that short."""
        self._steering = False
        if self._main is not None:
            self._main.uncancel()

    def _turn(self, words: str) -> None:
        if self._steering and not self._going.interrupt() and self._main is not None:
            self._main.cancel()
        self._going.say("stopping", words)


async def _drive(
    going: Run, sampler: Sampler, guard: Guard, asked: Asked
) -> tuple[records.End, broken.Breakdown | None]:
    """All phases; whatever ends them, a fault of ours too, the fleet is stopped."""
    helm = _Helm(going, guard, asked)
    guard.on_abort = helm.abort
    status: Literal["complete", "interrupted", "failed", "aborted", "broken"] = "complete"
    reason, sampling = "", False
    broke: broken.Breakdown | None = None
    with asked.waking(helm.signalled):
        try:
            await asyncio.sleep(0)  # a signal has come before there was a loop: not even begin
            await prepare(going)
            await going.boot()
            sampler.start()
            sampling = True
            going.on_edge = sampler.edge
            for phase in going.mission.phases:
                await carry_out(going, phase)
            await going.last_look()
            await witness.testify(going)
            await asyncio.sleep(0)  # an abort condition held at the very last
        except asyncio.CancelledError:
            status, reason = ("aborted", guard.words) if guard.held else ("interrupted", _by(asked))
        except NautilusError as error:  # what a signal to the whole group did to others is no failure of theirs
            status, reason = ("interrupted", _by(asked)) if asked.first else ("failed", str(error))
        except Exception as error:  # a fault of ours: what was measured is sealed all the same
            broke = broken.keep(going.folder, going.fleet, error)
            both = f"{_by(asked)}; its runner broke then: {broke.reason}"
            status, reason = ("interrupted", both) if asked.first else ("broken", broke.reason)
        finally:
            helm.let_go()
            with contextlib.suppress(asyncio.CancelledError):  # asked for in the step that failed
                await asyncio.sleep(0)
            try:
                if sampling:
                    sampler.close()
                going.say("close", "leaving the fleet as it was" if going.fleet.attached else "stopping the fleet")
            finally:
                await end_fleet(going.fleet, going.booting, asked, now=status in ("failed", "broken"))
    return records.End(**stamp(), status=status, reason=reason), broke


def _by(asked: Asked) -> str:
    return f"interrupted by the operator ({asked.first.name if asked.first else 'cancelled'})"
