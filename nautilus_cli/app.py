"""The root command: what there is, and how every error ends."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import typer

from engines.wire.errors import NautilusError
from engines.wire.version import VERSION
from nautilus_cli import exits
from nautilus_cli.exits import ExitCode
from nautilus_cli.lazy import Entry, LazyGroup
from reports.errors import ReportError

_ABOUT = "Launch, supervise, stress and audit a trading platform of thirteen engines."
_EPILOG = "Begin with: nautilus doctor, then nautilus up, then nautilus stress flash-crash"


class Root(LazyGroup):
    """`nautilus`."""

    entries: ClassVar[dict[str, dict[str, Entry]]] = {
        "Fleet": {
            "up": Entry("up", "Start the fleet, or some engines with what they need."),
            "down": Entry("down", "Stop the fleet, in reverse order."),
            "status": Entry("status", "Show processes: states, memory, CPU, restarts."),
            "health": Entry("health", "Ask every engine for its own health report."),
            "logs": Entry("logs", "Show what the processes wrote."),
            "restart": Entry("restart", "Stop one engine and start it again."),
        },
        "Missions and reports": {
            "stress": Entry("stress", "Drive a fleet through market stress and record what happens."),
            "report": Entry("report", "List, show, render and verify the runs of missions."),
        },
        "This machine": {
            "doctor": Entry("doctor", "Check what the fleet needs of this machine."),
        },
    }

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and end with the code of the table in `exits`."""
        typed = list(sys.argv[1:] if args is None else args) or ["--help"]
        try:
            code = super().main(typed, prog_name, complete_var, False, windows_expand_args, **extra)
        except (NautilusError, ReportError) as error:
            code = exits.of_error(error)
            _fail(typed, code, error.what, error.why, error.next_step)
        except typer.TyperException as error:  # the line could not be parsed
            code = ExitCode.USAGE
            path = getattr(getattr(error, "ctx", None), "command_path", "nautilus")
            _fail(typed, code, error.format_message(), "", f"{path} --help")
        except typer.Abort:
            code = ExitCode.INTERRUPTED
        if not standalone_mode:
            return code
        sys.exit(code if isinstance(code, int) else ExitCode.OK)


def _fail(typed: Sequence[str], code: ExitCode, what: str, why: str, next_step: str) -> None:
    """`--json` is looked for in what was typed: the line may be one that cannot be parsed."""
    from nautilus_cli.console import Console, Failure

    Console(as_json="--json" in typed).fail(Failure(code=code, what=what, why=why, next=next_step))


app = typer.Typer(
    cls=Root,
    help=_ABOUT,
    epilog=_EPILOG,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(asked: bool) -> None:
    if asked:
        from nautilus_cli.console import Console

        Console().show(f"nautilus {VERSION}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of `nautilus` itself."""
