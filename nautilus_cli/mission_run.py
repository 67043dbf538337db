"""One mission from the command line: start it, show how far it is, say what came of it."""

from collections.abc import Callable

import msgspec

from nautilus_cli.console import Console, Meter
from nautilus_cli.exits import ExitCode, of_verdict
from nautilus_cli.interrupts import speaking
from nautilus_cli.words import duration
from stress.mission import Mission
from stress.options import Options
from stress.progress import Progress


def fly(mission: Mission, options: Options, console: Console, exit_zero: bool) -> ExitCode:
    """Run a mission to its end and say what came of it."""
    from nautilus_cli import run_views  # here: `nautilus stress --help` needs neither reports nor tapes
    from reports.render_json import RunJson
    from stress.plan import plan

    length = duration(plan(mission, options).seconds)
    console.say(f"{mission.title}: about {length}; Ctrl-C ends it early and keeps what was measured.")
    from stress.runner import Outcome, run

    with (
        speaking(lambda: console.say("Interrupted: stopping the fleet and sealing what was measured.")),
        console.meter(mission.name) as meter,
    ):
        outcome: Outcome = run(mission, options, _listener(meter))
    document = {**outcome.document, "folder": str(outcome.folder)}
    if console.as_json:
        console.document(document)
    else:
        criteria = msgspec.convert(document, RunJson)["criteria"]
        word = run_views.verdict(outcome.verdict)
        console.show(
            run_views.criteria_table(criteria),
            "",
            f"Verdict: {console.coloured(word.text, word.tone)}{' (interrupted)' if outcome.interrupted else ''}",
            f"Report:  {outcome.report}",
        )
    console.say(run_views.next_commands(outcome.folder))
    if outcome.interrupted:
        return ExitCode.INTERRUPTED
    if not outcome.verified:
        console.say("The report does not verify.")
        return ExitCode.FAILED
    return ExitCode.OK if exit_zero else of_verdict(outcome.verdict)


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
