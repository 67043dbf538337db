"""Options that many commands share, and what the shell completes."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on standard output.")]
JsonLines = Annotated[bool, typer.Option("--jsonl", help="Print a stream of JSON documents, one a line.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no words, only what was asked for and errors.")]
Fleet = Annotated[str, typer.Option("--fleet", envvar="NAUTILUS_FLEET", metavar="NAME", help="Which fleet.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0.1, metavar="S", help="Give up waiting after S seconds.")]
Interval = Annotated[float, typer.Option("--interval", min=0.1, metavar="S", help="How often --watch looks.")]
Runs = Annotated[
    Path,
    typer.Option(
        "--runs", envvar="NAUTILUS_RUNS", file_okay=False, metavar="DIR", help="The folder that holds the runs."
    ),
]


def complete_engine(incomplete: str) -> list[str]:
    """Engines whose name begins so."""
    from engines.wire import manifest
    from engines.wire.errors import ManifestErrors, SettingsError

    try:
        return [found.name for found in manifest.discover() if found.name.startswith(incomplete)]
    except (ManifestErrors, SettingsError):
        return []  # `up` tells the mistakes; a completion has nowhere to


def complete_process(incomplete: str) -> list[str]:
    """Engines, buses and the fleet's own processes whose name begins so: all that has a log."""
    others = ("bus-main", "bus-market", "supervisor", "zygote")
    return complete_engine(incomplete) + [name for name in others if name.startswith(incomplete)]


Engine = Annotated[str, typer.Argument(metavar="ENGINE", help="Which engine.", autocompletion=complete_engine)]
OptionalEngine = Annotated[
    str | None, typer.Argument(metavar="ENGINE", help="One engine only.", autocompletion=complete_engine)
]


def one_document(as_json: bool, stream: bool, instead: str) -> None:
    """A stream is no single document.

    Raises:
        BadParameter: both were asked for.
    """
    if as_json and stream:
        raise typer.BadParameter(f"a stream is not one document; use {instead}", param_hint="--json")
