"""`nautilus data scenario`: what ships, what one expects, and what many seeds of one have in common."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from engines.wire.errors import UsageError
from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.table import Cell, Column, Table, Tone
from nautilus_cli.words import count

if TYPE_CHECKING:
    from engines.wire.scenario import Scenario

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_DAYS = ["%Y-%m-%d"]
_MOST = 1_000  # tapes of one call
_RANGE = "A, or A:B:N for N values from A to B"


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
def scenario(  # noqa: PLR0913, PLR0917 # one parameter a flag: Typer reads the signature
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A scenario, its date, or a TOML file's path.", autocompletion=_complete),
    ] = None,
    rules: Annotated[
        dt.datetime | None,
        typer.Option("--rules", formats=_DAYS, metavar="DATE", help="What if that day's rulebook had been in force."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds", min=1, max=_MOST, metavar="N", help="Make the tapes of seeds 1 to N: how far they differ."
        ),
    ] = None,
    fall: Annotated[str, typer.Option("--fall", metavar="A[:B:N]", help=f"With another leg.drop: {_RANGE}.")] = "",
    peak: Annotated[str, typer.Option("--peak", metavar="A[:B:N]", help="With another activity.peak.")] = "",
    depth: Annotated[str, typer.Option("--depth", metavar="A[:B:N]", help="With another book.depth_floor.")] = "",
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Show what a scenario pins and expects before it is replayed; without NAME, list those that ship.

    With --seeds, make tapes and show the mean, deviation, lowest and highest of their figures; with --fall, --peak and
    --depth of every combination of those severities.
    """
    console = Console(as_json, quiet)
    given = {"--rules": rules, "--seeds": seeds, "--fall": fall, "--peak": peak, "--depth": depth}
    if name is None:
        for flag in (flag for flag, value in given.items() if value):
            raise typer.BadParameter("it needs the name of a scenario", param_hint=flag)
        _list(console)
        return
    from engines.wire.scenario_brief import brief
    from engines.wire.scenario_file import load

    if seeds is not None:
        known = load(name) if rules is None else replace(load(name), rules_asof=rules.date())
        _ensemble(console, known, seeds, (fall, peak, depth))
        return
    for flag in (flag for flag in ("--fall", "--peak", "--depth") if given[flag]):
        raise typer.BadParameter("it is about tapes; add --seeds N", param_hint=flag)
    found = brief(load(name), rules.date() if rules is not None else None)
    if as_json:
        console.document(found)
        return
    from nautilus_cli.scenario_views import blocks

    console.show(*blocks(found))
    if found.counterfactual:
        console.say("COUNTERFACTUAL: the halts are not those of the real day.", Tone.WARN)


def _ensemble(console: Console, known: "Scenario", seeds: int, severities: Sequence[str]) -> None:
    from engines.wire.severity import sweep
    from nautilus_cli.ensembles import Ensemble, members, table

    flags_ = ("--fall", "--peak", "--depth")
    axes = [values(text, flag) for text, flag in zip(severities, flags_, strict=True)]
    scenarios = sweep(known, *axes) if any(axes) else (known,)
    total = len(scenarios) * seeds
    if total > _MOST:
        raise UsageError(f"That are {total:,} tapes.", f"At most {_MOST:,} are made at once.", "Give fewer --seeds.")
    with console.meter(f"{count(total, 'tape')} of {known.name}") as meter:
        progress = lambda text, done, total: meter.update(text, done, total, f"{done}/{total}")  # noqa: E731 # one use
        found = tuple(members(scenarios, range(1, seeds + 1), progress))
    if console.as_json:
        console.document(Ensemble(name=known.name, rules_asof=known.rules_day, seeds=seeds, scenarios=found))
    else:
        rules = "" if known.rules_asof is None else f", by the rules of {known.rules_day}"
        console.show(f"{known.title} ({known.name}, {known.date}{rules}): {count(seeds, 'seed')}", table(found))
    for each in found:
        for conflict in each.conflicts:
            console.say(f"Conflict in {each.scenario}: {conflict}.", Tone.WARN)


def values(text: str, flag: str) -> list[float]:
    """The numbers of `A` or `A:B:N`; none of an empty text.

    Raises:
        BadParameter: it is neither, or N is not 2 to 100.
    """
    if not text:
        return []
    parts = text.split(":")
    try:
        ends = [float(part) for part in parts[:2]]
        steps = int(parts[2]) if len(parts) == 3 else 1
    except ValueError:
        steps = 0
    if len(parts) == 1 and steps == 1:
        return ends
    if len(parts) != 3 or not 2 <= steps <= 100:
        raise typer.BadParameter(f"{text!r} is neither A nor A:B:N with N from 2 to 100", param_hint=flag)
    return [ends[0] + (ends[1] - ends[0]) * step / (steps - 1) for step in range(steps)]


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
