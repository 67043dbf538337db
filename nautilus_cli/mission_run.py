"""One mission from the command line: start it, show how far it is, say what came of it."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from nautilus_cli.console import Console, Failure, Meter
from nautilus_cli.exits import ExitCode, of_signal, of_verdict
from nautilus_cli.streams import Unread
from nautilus_cli.table import Tone
from nautilus_cli.words import duration
from stress.mission import Mission
from stress.options import Options
from stress.progress import Listener, Progress

if TYPE_CHECKING:
    from stress.broken import Breakdown
    from stress.plan import MissionPlan
    from stress.runner import Outcome

_GOOD = ("ACHIEVED", "EXCEEDED")
_HIDDEN = "..."


class After(NamedTuple):
    """What follows a run.  `exit_zero`: a whole run ends 0 whatever its verdict; `notify`: who hears of a bad one."""

    exit_zero: bool = False
    notify: str | None = None


def fly(mission: Mission, options: Options, console: Console, after: After) -> ExitCode:
    """Run a mission to its end and say what came of it.  Who listens may go away: the run is what counts."""
    from nautilus_cli import run_views  # here: `nautilus stress --help` needs neither reports nor tapes
    from stress.plan import plan
    from stress.runner import run

    planned = plan(mission, options)
    live = console.moving and not console.as_json
    console.say(
        f"{mission.title}: about {duration(planned.seconds)}; Ctrl-C ends it early and keeps what was measured."
    )
    with _shown(console, planned, live) as listener:
        outcome = run(mission, msgspec.structs.replace(options, live=live), listener)
    document = {**outcome.document, "folder": str(outcome.folder)}
    try:
        _show(outcome, document, console)
    except Unread as error:
        console.say(f"Standard output: {error}.", Tone.WARN)
    console.say(run_views.next_commands(outcome.folder))
    if after.notify is not None and outcome.verdict not in _GOOD:
        _tell(after.notify, document, console)
    if outcome.broke is not None:
        _lament(outcome.broke, outcome.folder, console)
    if outcome.interrupted:
        return of_signal(outcome.interrupted)
    if outcome.broke is not None:
        return ExitCode.FAILED
    if not outcome.verified:
        console.say("The report does not verify.")
        return ExitCode.FAILED
    return ExitCode.OK if after.exit_zero else of_verdict(outcome.verdict)


def _show(outcome: "Outcome", document: dict[str, object], console: Console) -> None:
    """Verdict and criteria.  Raises Unread."""
    from nautilus_cli import run_views
    from reports.render_json import RunJson

    if console.as_json:
        console.document(document)
        return
    criteria = msgspec.convert(document, RunJson)["criteria"]
    word = run_views.verdict(outcome.verdict)
    console.show(
        run_views.criteria_table(criteria),
        "",
        f"Verdict: {console.coloured(word.text, word.tone)}{_cut_short(outcome)}",
        f"Report:  {outcome.report}",
    )


def _cut_short(outcome: "Outcome") -> str:
    if outcome.interrupted:
        return " (interrupted)"
    return " (its runner broke)" if outcome.broke is not None else ""


def _lament(broke: "Breakdown", folder: Path, console: Console) -> None:
    """Told on standard error, with -q too; the document of a run says it by its status."""
    where = f"Its traceback is in {broke.log}." if broke.log is not None else "Its traceback could not be written."
    failure = Failure(
        code=ExitCode.FAILED,
        what=f"The mission's own code broke: {broke.words}",
        why=f"A fault of Nautilus or of a plug-in, not of the fleet; what was measured is sealed. {where}",
        next=f"nautilus report show {folder}",
    )
    Console(quiet=console.quiet).fail(failure)


@contextlib.contextmanager
def _shown(console: Console, planned: "MissionPlan", live: bool) -> Iterator[Listener]:
    """What hears the mission: a screen in a terminal, lines elsewhere."""
    if not live:
        with console.meter(planned.mission) as meter:
            yield _listener(meter)
        return
    from nautilus_cli.live_view import LiveView  # here: it draws, which a pipe needs not

    steps = [(phase.name, phase.seconds) for phase in planned.phases]
    view = LiveView(planned.title, steps, time.monotonic)
    with console.lent(view.note) as terminal, view.shown(terminal):
        yield view.hear


def without_targets(argv: Sequence[str]) -> tuple[str, ...]:
    """A command line as a record may keep it: without the value of --notify, which may hold a secret."""
    kept: list[str] = []
    for word in argv:
        if kept and kept[-1] == "--notify":
            kept.append(_HIDDEN)
        else:
            kept.append(f"--notify={_HIDDEN}" if word.startswith("--notify=") else word)
    return tuple(kept)


def _tell(target: str, document: object, console: Console) -> None:
    """Someone hears of it, or the operator hears that nobody could; the verdict stays what it is."""
    from reports.errors import ReportError
    from reports.notify import notify

    try:
        notify(target, document)
    except ReportError as error:
        console.say(f"{error.what} {error.why}", Tone.WARN)


def _listener(meter: Meter) -> Callable[[Progress], None]:
    def hear(progress: Progress) -> None:
        facts = ", ".join(f"{name} {_fact(value)}" for name, value in progress.facts.items())
        text = f"{progress.phase}: {progress.text}" + (f" ({facts})" if facts else "")
        left = max(0.0, progress.total_s - progress.done_s)
        note = f"{progress.done_s:4.0f} s, about {left:.0f} s left"
        meter.update(text, progress.done_s, progress.total_s, note)

    return hear


def _fact(value: float | int | str) -> str:
    return value if isinstance(value, str) else f"{value:,.0f}" if isinstance(value, int) else f"{value:,.1f}"
