"""`nautilus data sources`."""

import contextlib
import datetime
import enum
import os
from collections.abc import Iterator, Mapping
from typing import Annotated

import msgspec
import typer

from engines.data.sources import registry
from engines.data.sources.endpoint import Endpoint
from engines.data.sources.source import SourceState, Status
from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.exits import ExitCode
from nautilus_cli.table import Cell, Column, Table, Tone
from nautilus_cli.words import count, number

app = typer.Typer(add_completion=False, rich_markup_mode=None)
_TONES = {
    Status.LIVE: Tone.GOOD,
    Status.SIMULATED: Tone.GOOD,
    Status.NOT_CONFIGURED: Tone.FAINT,
    Status.UNREACHABLE: Tone.WARN,
    Status.ERROR: Tone.BAD,
}


class Required(enum.StrEnum):
    """What every source must be for the command to end 0."""

    CONFIGURED = "configured"
    SIMULATED = "simulated"
    LIVE = "live"


Simulate = Annotated[
    bool, typer.Option("--simulate", help="Prove each connector against a local simulator of its source's protocol.")
]
Require = Annotated[
    Required | None, typer.Option("--require", help="End 1 unless every source is that; without it, always end 0.")
]


class SourceList(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.sources/1` document."""

    schema: str = "nautilus.sources/1"
    at: str
    simulated: bool
    sources: tuple[SourceState, ...]


@app.command()
def sources(
    simulate: Simulate = False,
    timeout: flags.Timeout = 10.0,
    require: Require = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Ask the eight external sources of market data for a few rows each, and show what they answer.

    Keys come from the environment only: ALPHAVANTAGE_API_KEY, FRED_API_KEY, EDGAR_IDENTITY (`Name email`),
    DATA_GOV_API_KEY, TRADING_ECONOMICS_API_KEY; TWS is looked for at IB_HOST and IB_PORT.
    """
    console = Console(as_json, quiet)
    console.say(f"Asking {'the simulators of ' if simulate else ''}{count(len(registry.NAMES), 'source')} ...")
    with reached(simulate) as (endpoints, env):
        states = registry.probe_all(endpoints, timeout, env)
    if as_json:
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        console.document(SourceList(at=at, simulated=simulate, sources=states))
    else:
        console.show(_table(states))
    found = {status: sum(state.status is status for state in states) for status in Status}
    console.say(", ".join(f"{amount} {status}" for status, amount in found.items() if amount) + ".")
    if not simulate and not found[Status.LIVE]:
        console.say("Next: nautilus data sources --simulate")
    raise typer.Exit(ExitCode.OK if _meets(states, require) else ExitCode.FAILED)


@contextlib.contextmanager
def reached(simulate: bool) -> Iterator[tuple[Mapping[str, Endpoint], Mapping[str, str]]]:
    """Endpoints and the environment with their keys: the user's, or the simulators' own while they run."""
    if not simulate:
        yield registry.published(os.environ), os.environ
        return
    from engines.data.simulators import suite

    with suite.running() as simulators:
        yield simulators.endpoints, simulators.env


def _table(states: tuple[SourceState, ...]) -> Table:
    columns = (
        Column("source"), Column("state"), Column("round trip ms", True), Column("rows", True), Column("newest"),
        Column("detail"),
    )  # fmt: skip
    rows = [
        (
            state.title,
            Cell(state.status.value, _TONES[state.status]),
            number(state.evidence.round_trip_ms),
            number(state.evidence.rows, 0),
            state.evidence.newest or "-",
            state.evidence.detail,
        )
        for state in states
    ]
    return Table(columns, rows)


def _meets(states: tuple[SourceState, ...], required: Required | None) -> bool:
    if required is None:
        return True
    if required is Required.CONFIGURED:
        return all(state.status is not Status.NOT_CONFIGURED for state in states)
    return all(state.status.value.lower() == required.value for state in states)
