"""Runs a mission: a plan in, a sealed run folder out.  `run` is the whole interface.

Boot, idle health, calibration, then the tape and the load side by side, then drain, account, stop, seal, render,
verify.  Everything that is measured goes to the history as it happens; nothing in a report comes from memory.
The first Ctrl-C ends the phase under way, stops the fleet, and seals what was measured as interrupted.
"""

import asyncio
import contextlib
import datetime
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from engines.wire.errors import NautilusError
from engines.wire.version import VERSION
from reports import records, runs, seal, signature, verify
from stress.fleet import MissionFleet
from stress.history.journal import History
from stress.history.samples import Sampler
from stress.history.stamp import stamp
from stress.host import host_record
from stress.mission import Mission
from stress.options import Options
from stress.plan import plan
from stress.progress import Listener, Progress
from stress.roles import carry_out
from stress.run import Run


class Outcome(msgspec.Struct, frozen=True):
    """What came of a run.  `document` is its `nautilus.run/1` JSON."""

    run_id: str
    folder: Path
    verdict: str
    verified: bool
    interrupted: bool
    report: Path
    document: dict[str, object]


def run(mission: Mission, options: Options, on_progress: Listener) -> Outcome:
    """Run a mission to its end, or to the first Ctrl-C.

    Raises:
        NautilusError: the fleet cannot start, or the record cannot be written.
        ReportError: the signing key of the environment is none.
    """
    key = signature.key_of()
    now = datetime.datetime.now().astimezone()
    run_id = f"{now:%Y%m%d_%H%M%S}_{mission.name}"
    folder = (options.runs / run_id).absolute()
    fleet = MissionFleet(folder / "fleet")
    with History.open(folder) as history:
        _begin(history, mission, options, run_id)
        sampler = Sampler(folder, fleet.pids)
        ended = asyncio.run(_drive(Run(mission, options, folder, fleet, history, on_progress), sampler))
        history.append(ended)
    with _undisturbed(on_progress):
        fleet.keep_logs(folder / "logs")
        runs.render(folder, with_plots=options.plots)
        seal.seal(folder)
        if key is not None:
            signature.sign(folder, key)
        checked = verify.verify(folder, key)
    document = msgspec.json.decode((folder / runs.RESULTS).read_bytes(), type=dict[str, object])
    return Outcome(
        run_id=run_id,
        folder=folder,
        verdict=str(document["verdict"]),
        verified=checked.ok,
        interrupted=ended.status == "interrupted",
        report=folder / runs.REPORT_MD,
        document=document,
    )


@contextlib.contextmanager
def _undisturbed(on_progress: Listener) -> Iterator[None]:
    """Ctrl-C waits until the run is sealed: a few seconds, and nothing measured is lost."""
    busy = Progress("report", "sealing and rendering", 1, 1)
    on_progress(busy)
    former = {number: signal.signal(number, lambda *_: on_progress(busy)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


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
            version=VERSION,
            argv=list(options.argv),
            engines=[manifest.name for manifest in Run.manifests()],
            criteria=[records.CriterionTarget(id=c.id, target=c.target) for c in mission.criteria],
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
                ledger=[
                    records.LedgerKey(bus=bus, topic=topic, consumer=consumer)
                    for bus, topic, consumer in Run.consumers()
                ],
            ),
        )
    )
    history.append(host_record())


async def _drive(going: Run, sampler: Sampler) -> records.End:
    """All phases; whatever ends them, the fleet is stopped."""
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    interrupted, hurry = threading.Event(), threading.Event()

    def interrupt() -> None:
        if interrupted.is_set():
            hurry.set()
            going.say("stopping", "without grace")
            return
        going.say("stopping", "the fleet stops; what was measured is kept; Ctrl-C again skips the grace")
        interrupted.set()
        if not going.interrupt() and main is not None:
            main.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    status: Literal["complete", "interrupted", "failed"] = "complete"
    reason, sampling = "", False
    try:
        await going.boot()
        sampler.start()
        sampling = True
        for phase in going.mission.phases:
            await carry_out(going, phase)
        await going.last_look()
    except asyncio.CancelledError:
        status, reason = "interrupted", "interrupted by the operator"
    except NautilusError as error:
        status, reason = "failed", str(error)
    finally:
        if main is not None:
            main.uncancel()
        if sampling:
            sampler.close()
        await asyncio.to_thread(going.fleet.down, now=hurry.is_set() or status != "complete")
    return records.End(**stamp(), status=status, reason=reason)
