"""The root command: what there is, and how every error ends."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import typer

from engines.wire.errors import NautilusError
from nautilus_cli import exits
from nautilus_cli.configured import configured
from nautilus_cli.exits import ExitCode
from nautilus_cli.lazy import Entry, LazyGroup
from nautilus_cli.streams import Unread
from reports.errors import ReportError

_ABOUT = "Launch, supervise, stress and audit a trading platform of thirteen engines."
_EPILOG = """Begin with: nautilus doctor, nautilus up, nautilus stress flash-crash

\b
Exit codes:
  0    done; a mission's criteria were met
  1    failed; standard error says why and what to type next
  2    the command line or a file asks for what cannot be
  3    there is no fleet, or not that part of it
  4    the fleet runs, but not every engine is well
  5    a mission missed a criterion
  6    a mission's verdict is unknown or invalid
  124  not in the given time
  129  its terminal is gone (SIGHUP)
  130  Ctrl-C (--watch and --follow end with 0)
  141  who read its standard output is gone; a mission goes on and ends with its own code
  143  SIGTERM"""


class Root(LazyGroup):
    """`nautilus`."""

    entries: ClassVar[dict[str, dict[str, Entry]]] = {
        "Fleet": {
            "up": Entry("up", "Start the fleet, or some engines with what they need."),
            "down": Entry("down", "Stop the fleet, in reverse order."),
            "status": Entry("status", "Show processes: states, memory, CPU, restarts."),
            "health": Entry("health", "Ask every engine for its own health report."),
            "why": Entry("why", "Name what keeps an engine from being healthy, at its root."),
            "wait": Entry("wait", "Wait until engines are healthy, ready or stopped."),
            "logs": Entry("logs", "Show what the processes wrote."),
            "restart": Entry("restart", "Stop one engine and start it again, or all in rolling order."),
            "reload": Entry("reload", "Read manifests and nautilus.toml again, and apply what changed."),
            "audit": Entry("audit", "Show who asked the fleet for what, and when."),
            "bus": Entry("bus", "Look at the message buses, or measure them."),
        },
        "Missions and reports": {
            "stress": Entry("stress", "Drive a fleet through market stress and record what happens."),
            "report": Entry("report", "List, show, render and verify the runs of missions."),
            "prune": Entry("prune", "Delete old runs, logs, crash bundles, caches and stores, by quotas."),
        },
        "Market data": {
            "data": Entry("data", "The bundled prices, your own files, and the external sources."),
        },
        "This machine": {
            "doctor": Entry("doctor", "Check what the fleet needs of this machine."),
            "profile": Entry("profile", "Measure what this machine and its devices can do."),
            "config": Entry("config", "Show the settings in force, and where each comes from."),
            "init": Entry("init", "Begin an engine or a mission of your own."),
            "units": Entry("units", "Write a service manager's unit for the fleet."),
        },
    }

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> tuple:  # type: ignore[type-arg, override] # click's
        """The real command, with the configuration as the defaults of its flags and those of its own commands."""
        name, command, rest = super().resolve_command(ctx, args)
        said = ctx.default_map
        if said is not None and name is not None:
            ctx.default_map = {name: {**said, **dict.fromkeys(getattr(command, "commands", ()), said)}}
        return name, command, rest

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
        typed = _plain(list(sys.argv[1:] if args is None else args)) or ["--help"]
        try:
            with configured(typed) as defaults:
                extra["default_map"] = defaults
                code = super().main(typed, prog_name, complete_var, False, windows_expand_args, **extra)
        except (NautilusError, ReportError) as error:
            code = exits.of_error(error)
            _fail(typed, code, error.what, error.why, error.next_step)
        except typer.TyperException as error:  # the line could not be parsed
            code = ExitCode.USAGE
            path = getattr(getattr(error, "ctx", None), "command_path", "nautilus")
            _fail(typed, code, error.format_message(), "", f"{path} --help")
        except Unread as error:
            code = ExitCode.UNREAD if error.closed else ExitCode.FAILED
            if not error.closed:
                _fail(typed, code, "Standard output cannot be written.", str(error), "")
        except typer.Abort:
            code = ExitCode.INTERRUPTED
        if not standalone_mode:
            return code
        sys.exit(code if isinstance(code, int) else ExitCode.OK)


def _plain(typed: list[str]) -> list[str]:
    """The line without `--no-color`, wherever it stands; it holds for every stream."""
    end = typed.index("--") if "--" in typed else len(typed)
    if "--no-color" not in typed[:end]:
        return typed
    os.environ["NO_COLOR"] = "1"
    return [word for word in typed[:end] if word != "--no-color"] + typed[end:]


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
        from nautilus_cli.handshake import versions

        raise typer.Exit(versions())


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            callback=_version,
            is_eager=True,
            help="Print the version, and the running supervisor's; ends 1 when they do not fit.",
        ),
    ] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colour and no motion, here or after a command; so does NO_COLOR.")
    ] = False,
) -> None:
    """Options of `nautilus` itself."""
