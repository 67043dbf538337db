"""`nautilus data scenario`."""

import datetime as dt
from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer

from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.table import Cell, Column, Table, Tone
from nautilus_cli.words import count

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_DAYS = ["%Y-%m-%d"]


class Preset(msgspec.Struct, frozen=True):
    """A scenario that ships."""

    name: str
    aliases: tuple[str, ...]
    date: dt.date
    title: str
    symbols: tuple[str, ...]
    ticks: int


class Presets(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.scenarios/1` document."""

    schema: str = "nautilus.scenarios/1"
    scenarios: tuple[Preset, ...]


def _complete(incomplete: str) -> list[str]:
    from engines.wire import scenario_file

    return [name for name in (*scenario_file.names(), *scenario_file.aliases()) if name.startswith(incomplete)]


@app.command()
def scenario(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A scenario, its date, or a TOML file's path.", autocompletion=_complete),
    ] = None,
    rules: Annotated[
        dt.datetime | None,
        typer.Option("--rules", formats=_DAYS, metavar="DATE", help="What if that day's rulebook had been in force."),
    ] = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Show what a scenario pins and expects before it is replayed; without NAME, list those that ship."""
    console = Console(as_json, quiet)
    if name is None:
        if rules is not None:
            raise typer.BadParameter("it needs the name of a scenario", param_hint="--rules")
        _list(console)
        return
    from engines.wire.scenario_brief import brief
    from engines.wire.scenario_file import load

    found = brief(load(name), rules.date() if rules is not None else None)
    if as_json:
        console.document(found)
        return
    from nautilus_cli.scenario_views import blocks

    console.show(*blocks(found))
    if found.counterfactual:
        console.say("COUNTERFACTUAL: the halts are not those of the real day.", Tone.WARN)


def _list(console: Console) -> None:
    found = tuple(_presets())
    if console.as_json:
        console.document(Presets(scenarios=found))
        return
    columns = (Column("name"), Column("also"), Column("ticks", right=True), Column("title"), Column("symbols"))
    rows = [
        (Cell(each.name, Tone.STRONG), " ".join(each.aliases), f"{each.ticks:,}", each.title, " ".join(each.symbols))
        for each in found
    ]
    console.show(Table(columns, rows))
    console.say(f"{count(len(found), 'scenario')}. Next: nautilus data scenario {found[0].name}")


def _presets() -> Iterator[Preset]:
    from engines.wire import scenario_file

    for name in scenario_file.names():
        known = scenario_file.load(name)
        yield Preset(name, known.aliases, known.date, known.title, known.symbols, known.ticks)
