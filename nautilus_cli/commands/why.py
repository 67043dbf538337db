"""`nautilus why`."""

import typer

from engines.fleet import evidence
from engines.fleet.why import Diagnosis
from engines.wire.settings import DEFAULT_FLEET
from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.table import Tone

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def why(
    engine: flags.Engine,
    fleet: flags.Fleet = DEFAULT_FLEET,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Name what keeps an engine from being healthy, at its root.

    The fleet need not run: its journal and logs still tell.  Ends 0 when answered, whatever the answer.
    """
    console = Console(as_json, quiet)
    found = evidence.diagnose(fleet, engine)
    if as_json:
        console.document(found)
        return
    _show(console, found)
    if found.next:
        console.say(f"Next: {found.next}")


def _show(console: Console, found: Diagnosis) -> None:
    console.show(console.coloured(found.what, Tone.GOOD if found.healthy else Tone.BAD))
    if found.why:
        console.show(f"  {found.why}")
    if len(found.chain) > 1:
        console.show(f"  {' <- '.join(found.chain)}: each stands on the next.")
    console.show(*(console.coloured(f"  - {fact}", Tone.FAINT) for fact in found.evidence))
    if found.last_lines:
        console.show(f"  The last lines of {found.root}:")
        console.show(*(f"    {console.printable(line)}" for line in found.last_lines))
    if found.bundle:
        console.show(f"  Crash bundle: {found.bundle}")
