"""`nautilus profile`."""

from typing import TYPE_CHECKING, Annotated

import typer

from engines.wire.errors import NautilusError
from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.table import Tone

if TYPE_CHECKING:
    from stress.profiler.routing import Progress

app = typer.Typer(add_completion=False, rich_markup_mode=None)

BUSY = 0.5  # of the cores: from that load on, others disturb the times

Quick = Annotated[bool, typer.Option("--quick", help="Fewer sizes and repeats: within half a minute.")]
Save = Annotated[bool, typer.Option("--save/--no-save", help="Keep the profile: engines choose devices by it.")]


@app.command()
def profile(
    *, quick: Quick = False, save: Save = True, as_json: flags.Json = False, quiet: flags.Quiet = False
) -> None:
    """Measure what this machine and its devices can do.

    Every kernel is timed on every device present and checked against numpy's result.  What is not there is NOT
    AVAILABLE, with the reason.
    """
    console = Console(as_json, quiet)
    with console.meter("Profiling") as meter:
        meter.update("reading: the machine", 0, 1)
        from engines.wire.settings import home  # here: the bar comes first
        from nautilus_cli import profile_views
        from stress.profiler.hardware import measure
        from stress.profiler.routing import save as keep

        def hear(progress: "Progress") -> None:
            meter.update(progress.text, progress.done, progress.total, f"{progress.done}/{progress.total}")

        found = measure(quick=quick, hear=hear)
    if as_json:
        console.document(found)
    else:
        console.show(*profile_views.blocks(found))
    if found.load is not None and found.load > found.inventory.usable_cores * BUSY:
        at_work = f"load {found.load:.1f} on {found.inventory.usable_cores} cores"
        console.say(f"Others were at work ({at_work}): times are noisy; profile again when it is quiet.", Tone.WARN)
    if save:
        try:
            console.say(f"Saved {keep(found, home())}: engines choose by it from their next start on.")
        except NautilusError as error:
            raise NautilusError("The profile was measured, but not kept.", str(error), error.next_step) from error
    console.say("Next: nautilus up")
