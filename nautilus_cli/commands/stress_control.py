"""`nautilus stress status`, `stop` and `heal`: missions that run, and those whose own process was killed."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from engines.wire.errors import NotRunning, UnknownName, UsageError
from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.exits import ExitCode
from nautilus_cli.table import Cell, Column, Table, Tone
from nautilus_cli.words import count, duration
from stress import running
from stress.options import RUNS
from stress.running import Running

RunName = Annotated[
    str | None, typer.Argument(metavar="RUN", help="A run's folder or its id; the only one under --runs if left out.")
]
Known = tuple[Path, Running]


class MissionNow(msgspec.Struct, frozen=True, kw_only=True):
    """A mission that runs, or one whose process was killed.  `pending`: faults not taken back; `processes`: of its
    own fleet, which nobody looks after any more; `next`: what to type.
    """

    run_id: str
    folder: str
    mission: str
    state: Literal["running", "interrupted"]
    verdict: Literal["UNKNOWN"] = "UNKNOWN"
    pid: int
    begun: str
    phase: str
    elapsed_s: float
    planned_s: float
    fleet: str
    attached: bool
    pending: tuple[str, ...] = ()
    processes: tuple[int, ...] = ()
    next: str


class MissionsNow(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.stress-status/1` document, oldest first."""

    schema: str = "nautilus.stress-status/1"
    root: str
    missions: tuple[MissionNow, ...]


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.stress-stop/1` document."""

    schema: str = "nautilus.stress-stop/1"
    folder: str
    report: str


class HealedNow(msgspec.Struct, frozen=True, kw_only=True):
    """One fault that was taken back, or could not be."""

    run: str
    fault: str
    kind: str
    target: str
    proven: bool
    proof: str


class SteadyNow(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a run's fleet is in its steady state again."""

    run: str
    holds: bool
    words: str


class HealedAll(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.stress-heal/1` document."""

    schema: str = "nautilus.stress-heal/1"
    root: str
    healed: tuple[HealedNow, ...]
    fleets: tuple[SteadyNow, ...]  # those that still run: taking a fault back is half of it, they must be well again


def status(
    *, run: RunName = None, runs: flags.Runs = RUNS, as_json: flags.Json = False, quiet: flags.Quiet = False
) -> None:
    """Show missions that run, and those that were cut short; ends 3 when none runs."""
    console = Console(as_json, quiet)
    found = tuple(_now(*each) for each in _known(run, runs))
    if as_json:
        console.document(MissionsNow(root=str(runs.absolute()), missions=found))
    elif found:
        console.show(_table(found))
    for each in found:
        if each.state == "interrupted":
            console.say(f"{each.run_id} was cut short: {_troubles(each)}.  Next: {each.next}")
    running_now = [each for each in found if each.state == "running"]
    if not running_now:
        console.say(f"No mission is running in {runs.absolute()}.  Next: nautilus stress list")
    raise typer.Exit(ExitCode.OK if running_now else ExitCode.NOT_RUNNING)


def stop(
    *,
    run: RunName = None,
    runs: flags.Runs = RUNS,
    timeout: flags.Timeout = running.STOP_S,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """End a running mission early and keep what was measured; of a killed one, end its fleet and seal its run."""
    from stress import control  # here: `nautilus stress --help` needs no reports

    console = Console(as_json, quiet)
    folder, state = _one(_known(run, runs), runs)
    if state.alive:
        console.say(f"Asking process {state.process.pid} to end {state.run_id} ...")
        control.stop(folder, state, timeout)
    if running.read(folder) is not None:  # nobody sealed it
        undos = control.left(folder, state).undos
        console.say(f"The mission's own process is gone: ending its fleet and sealing {state.run_id} ...")
        control.bury(folder, state)
        if undos:
            console.say(f"{count(len(undos), 'fault')} not taken back.  Next: nautilus stress heal {folder}", Tone.WARN)
    report = folder / "REPORT.md"
    if as_json:
        console.document(Stopped(folder=str(folder), report=str(report)))
    else:
        console.show(f"Report:  {report}")
    console.say(f"Next: nautilus report show {folder}")


def heal(
    *, run: RunName = None, runs: flags.Runs = RUNS, as_json: flags.Json = False, quiet: flags.Quiet = False
) -> None:
    """Take back the faults that killed missions left in force; ends 1 when one could not be."""
    from stress import control
    from stress.faults.heal import steady

    console = Console(as_json, quiet)
    found = tuple(
        HealedNow(run=folder.name, fault=h.fault, kind=h.kind, target=h.target, proven=h.proven, proof=h.proof)
        for folder in _with_undos(run, runs)
        for h in control.heal(folder)
    )
    fleets = tuple(
        SteadyNow(run=each.run, holds=each.holds, words=each.words)
        for each in (steady(runs) if found else ())
        if each.holds is not None
    )
    if as_json:
        console.document(HealedAll(root=str(runs.absolute()), healed=found, fleets=fleets))
    elif found:
        names = ("run", "fault", "kind", "target", "healed", "proof")
        rows = [(h.run, h.fault, h.kind, h.target, _yes(h.proven), h.proof) for h in found]
        console.show(Table(tuple(Column(name) for name in names), rows))
    else:
        console.say("No fault is left to take back.")
    for fleet in fleets:
        console.say(f"{fleet.run}: {fleet.words}.", Tone.GOOD if fleet.holds else Tone.BAD)
    failed = [h.fault for h in found if not h.proven] + [fleet.run for fleet in fleets if not fleet.holds]
    if failed:
        console.say(f"Not taken back: {', '.join(failed)}.  Next: do what the proof asks for, then again")
    raise typer.Exit(ExitCode.FAILED if failed else ExitCode.OK)


def _known(run: str | None, root: Path) -> list[Known]:
    """The missions with a state, or the one that was named.  Raises UnknownName."""
    found = running.find(root)
    if run is None:
        return found
    folder = Path(run).absolute()
    own = running.read(folder)
    if own is not None:
        return [(folder, own)]
    named = [each for each in found if run in (each[1].run_id, each[0].name)]
    if not named and not folder.is_dir() and not (root / run).is_dir():
        raise UnknownName("run", run, (state.run_id for _, state in found))
    return named


def _one(found: list[Known], root: Path) -> Known:
    """The one that runs, else the one that was cut short.

    Raises:
        NotRunning: there is none.
        UsageError: there are several.
    """
    chosen = [each for each in found if each[1].alive] or found
    if not chosen:
        raise NotRunning("No mission is running.", f"None has begun in {root.absolute()}.", "nautilus stress status")
    if len(chosen) > 1:
        names = ", ".join(state.run_id for _, state in chosen)
        raise UsageError(
            "Several missions could be meant.", f"{names}.", f"nautilus stress stop {chosen[-1][1].run_id}"
        )
    return chosen[0]


def _with_undos(run: str | None, root: Path) -> list[Path]:
    """The runs whose faults are to be taken back, oldest first: the named one, or all whose mission is dead.

    Raises:
        UnknownName: there is no such run.
        UsageError: its mission still runs, and takes them back itself.
    """
    from stress.faults.undo import UndoJournal

    folders = [each.absolute() for each in sorted(root.iterdir())] if root.is_dir() else []
    if run is None:
        return [each for each in folders if not _lives(each) and UndoJournal(each).pending()]
    named = next((each.absolute() for each in (Path(run), root / run) if each.is_dir()), None)
    if named is None:
        raise UnknownName("run", run, (each.name for each in folders))
    if _lives(named):
        why = "It takes its faults back itself."
        raise UsageError(f"{named.name} is still running.", why, f"nautilus stress stop {named}")
    return [named]


def _lives(folder: Path) -> bool:
    state = running.read(folder)
    return state is not None and state.alive


def _now(folder: Path, state: Running) -> MissionNow:
    from stress import control

    alive = state.alive
    rest = control.Left((), ()) if alive else control.left(folder, state)
    return MissionNow(
        run_id=state.run_id,
        folder=str(folder),
        mission=state.mission,
        state="running" if alive else "interrupted",
        pid=state.process.pid,
        begun=state.begun,
        phase=state.phase,
        elapsed_s=state.elapsed_s,
        planned_s=state.planned_s,
        fleet=state.fleet,
        attached=state.attached,
        pending=tuple(f"{undo.kind} {undo.target}" for undo in rest.undos),
        processes=tuple(each.pid for each in rest.processes),
        next=f"nautilus stress {'heal' if rest.undos else 'stop'} {folder}",
    )


def _table(found: tuple[MissionNow, ...]) -> Table:
    columns = (
        Column("run"), Column("mission"), Column("state"), Column("pid", True), Column("phase"),
        Column("elapsed", True), Column("of about", True), Column("fleet"), Column("verdict"),
    )  # fmt: skip
    return Table(
        columns,
        [
            (
                each.run_id, each.mission,
                Cell("running", Tone.GOOD) if each.state == "running" else Cell("INTERRUPTED", Tone.BAD),
                str(each.pid), each.phase, duration(each.elapsed_s), duration(each.planned_s),
                f"{each.fleet} (attached)" if each.attached else "its own", each.verdict,
            )
            for each in found
        ],
    )  # fmt: skip


def _troubles(each: MissionNow) -> str:
    words = [f"process {each.pid} is gone"]
    words += [f"not taken back: {', '.join(each.pending)}"] if each.pending else []
    words += [f"{len(each.processes)} processes of its fleet are left"] if each.processes else []
    return "; ".join(words)


def _yes(proven: bool) -> Cell:
    return Cell("yes", Tone.GOOD) if proven else Cell("no", Tone.BAD)
