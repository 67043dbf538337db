"""`nautilus data fetch`."""

import datetime as dt
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from engines.data.sources import registry
from engines.data.sources.registry import OFFERS, Offer
from engines.data.sources.retry import Patience
from engines.data.sources.secret import redactor
from engines.data.sources.source import Request
from engines.data.sources.source import Table as Fetched
from engines.wire.errors import UnknownName, UsageError
from engines.wire.settings import home
from nautilus_cli import flags
from nautilus_cli.commands.data_import import report
from nautilus_cli.commands.data_show import day
from nautilus_cli.commands.data_sources import reached
from nautilus_cli.console import Console
from nautilus_cli.exits import ExitCode
from nautilus_cli.fetch_views import Answers, answer, blocks
from nautilus_cli.table import Tone

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_ROWS = 1_000  # of one request, when nothing says how many
_KEYS = 16  # of one call
_KINDS = "\n".join(
    f"  {name if kind == next(iter(offers)) else '':<18} {kind:<9} {', '.join(offer.options)}".rstrip()
    for name, offers in OFFERS.items()
    for kind, offer in offers.items()
)
_ABOUT = f"""Fetch from one of the eight external sources, show it with where it comes from, and write or import it.

KEY is a symbol, a series' id, a ticker or CIK, a country, or words to search for; KIND is the source's first if it is
left out.

\b
  SOURCE             KIND      options
{_KINDS}

\b
  nautilus data fetch fred VIXCLS --import
  nautilus data fetch yahoo SPY QQQ --from 2020-02-01 --to 2020-04-30
  nautilus data fetch edgar facts AAPL --option concept=Assets -o assets.parquet

Keys come from the environment only; `nautilus data sources` names the variables.  Answers are kept for 12 hours in
<home>/data/cache (`nautilus prune --cache` deletes them)."""


def _complete(incomplete: str) -> list[str]:
    return [name for name in registry.NAMES if name.startswith(incomplete)]


Source = Annotated[str, typer.Argument(metavar="SOURCE", help="Which source, see above.", autocompletion=_complete)]
Words = Annotated[list[str], typer.Argument(metavar="[KIND] KEY...", help=f"What; {_KEYS} keys at most.")]
Start = Annotated[str, typer.Option("--from", metavar="DAY", help="First day, as 2020-02-19.")]
End = Annotated[str, typer.Option("--to", metavar="DAY", help="Last day, included.")]
Rows = Annotated[
    int | None,
    typer.Option("--rows", min=1, metavar="N", help="Fetch N rows at most; 1,000, or all with --from, --import, -o."),
]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="An option of that kind, see above; may be repeated."),
]
Shown = Annotated[int, typer.Option("--show", "-n", min=1, max=1_000, metavar="N", help="Show N rows from each end.")]
Out = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the rows to FILE, .csv or .parquet.")
]
Force = Annotated[bool, typer.Option("--force", help="Let --output overwrite a file.")]
Take = Annotated[bool, typer.Option("--import", help="Store bars or a series in the catalogue, as `data import` does.")]
Name = Annotated[str, typer.Option("--as", metavar="NAME", help="What --import calls it; its KEY if left out.")]
Replace = Annotated[bool, typer.Option("--replace", help="Let --import take this instead of an earlier import.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Ask the source, whatever is kept.")]
Simulate = Annotated[bool, typer.Option("--simulate", help="Ask a local simulator of the source: no market data.")]


class Wanted(NamedTuple):
    """What to do with the rows beside showing them.  `name`: of the import, empty for none."""

    out: Path | None
    force: bool
    name: str
    replace: bool


@app.command(help=_ABOUT)
def fetch(  # noqa: PLR0913 # one parameter a flag: Typer reads the signature
    source: Source,
    words: Words,
    *,
    start: Start = "",
    end: End = "",
    rows: Rows = None,
    option: Options = None,
    shown: Shown = 10,
    out: Out = None,
    force: Force = False,
    take: Take = False,
    name: Name = "",
    replace: Replace = False,
    fresh: Fresh = False,
    simulate: Simulate = False,
    timeout: flags.Timeout = 60.0,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    console = Console(as_json, quiet)
    _no_secret([*words, *(option or ()), name])
    source, kind, keys = understood(source, words)
    offer = OFFERS[source][kind]
    stored = out is not None or take
    limit = _limit(offer, kind, rows, whole=bool(start) or (stored and kind in ("bars", "series")))
    dates = _dates(offer, kind, start, end)
    extras = _extras(offer, kind, option or ())
    requests = [Request(kind=kind, key=key, start=dates[0], end=dates[1], limit=limit, extras=extras) for key in keys]
    wanted = Wanted(out, force, (name or keys[0]) if take else "", replace)
    _check(requests, wanted, name, simulate)
    title = registry.TITLES[source]
    if simulate:
        console.say(f"SIMULATED: a simulator on this machine answers in place of {title}.", Tone.WARN)
    console.say(f"Asking {'the simulator of ' if simulate else ''}{title} for {kind} of {', '.join(keys)} ...")
    tables = _fetched(source, requests, timeout, fresh, simulate)
    found = tuple(answer(each, table, cached) for each, (table, cached) in zip(requests, tables, strict=True))
    if not as_json:
        for each in found:
            console.show(*blocks(title, each, shown, console.printable))
    for each in found:
        if each.cut and rows is None:
            console.say(f"{limit:,} rows were asked for and came; there may be more. Next: --rows N, or --from DAY.")
    told = Answers(source=source, simulated=simulate, tables=found)
    raise typer.Exit(_put(console, told, requests[0], tables[0][0], wanted))


def understood(source: str, words: Sequence[str]) -> tuple[str, str, list[str]]:
    """The source, the kind and the keys of a line: `fred VIXCLS`, `edgar facts AAPL MSFT`.

    Raises:
        UsageError: there is no such source, or no key.
    """
    source = source.replace("-", "_")
    if source not in OFFERS:
        raise UnknownName("source", source, registry.NAMES)
    kinds = list(OFFERS[source])
    first, *rest = words
    kind, keys = (first, rest) if first in kinds else (kinds[0], list(words))
    keys = list(dict.fromkeys(keys))
    if not keys or not all(key.strip() for key in keys):
        raise UsageError(f"{kind} of what?", "A key is missing.", f"nautilus data fetch {source} {kind} KEY")
    if len(keys) > _KEYS:
        raise UsageError(f"That are {len(keys)} keys.", f"At most {_KEYS} are fetched in one call.", "Give fewer.")
    return source, kind, keys


def _no_secret(words: Sequence[str]) -> None:
    hidden = redactor(os.environ)
    if any(hidden.text(word) != word for word in words):
        raise UsageError("A key of yours stands in this line.", "It would be sent, kept and shown.", "Leave it out.")


def _limit(offer: Offer, kind: str, rows: int | None, whole: bool) -> int:
    if rows is None:
        return offer.most if whole else min(_ROWS, offer.most)
    if rows > offer.most:
        raise UsageError(f"{rows:,} rows of {kind} are too many.", f"At most {offer.most:,} come at once.", "")
    return rows


def _dates(offer: Offer, kind: str, start: str, end: str) -> tuple[dt.date | None, dt.date | None]:
    first, last = day(start), day(end)
    for flag, given, heeded in (("--from", first, offer.start), ("--to", last, offer.end)):
        if given is not None and not heeded:
            raise UsageError(f"{kind} of this source have no {flag}.", "", f"Leave out {flag}.")
    if first is not None and last is not None and first > last:
        raise UsageError(f"--from {first} is after --to {last}.", "", "Exchange the two days.")
    return first, last


def _extras(offer: Offer, kind: str, given: Sequence[str]) -> dict[str, str]:
    found = {}
    for word in given:
        name, sign, value = word.partition("=")
        if not (sign and value):
            raise UsageError(f"--option {word} is no NAME=VALUE.", "", "Write it as --option units=chg.")
        if name not in offer.options:
            known = f"It has: {', '.join(offer.options)}." if offer.options else "It has none."
            raise UsageError(f"{kind} of this source have no option {name!r}.", known, "")
        found[name] = value
    return found


def _check(requests: Sequence[Request], wanted: Wanted, name: str, simulate: bool) -> None:
    """Refuse before anything is asked what would be refused afterwards."""
    from engines.data import fetched, stored
    from engines.data.sources import table_file

    if (wanted.name or wanted.out) and len(requests) > 1:
        raise UsageError("Only one KEY can be written or imported.", "", "Fetch one after the other.")
    if (name or wanted.replace) and not wanted.name:
        raise UsageError("--as and --replace are about --import.", "", "Add --import.")
    if wanted.force and wanted.out is None:
        raise UsageError("--force is about --output.", "", "Add -o FILE.")
    if wanted.out is not None:
        if simulate:
            raise UsageError("What a simulator answers is not written to files.", "One could be taken for real.", "")
        table_file.check(wanted.out, wanted.force)
    if wanted.name:
        fetched.check(requests[0], simulate)
        try:
            stored.free_name(wanted.name, wanted.replace)
        except UsageError as error:
            raise UsageError(error.what, error.why, error.next_step or "Give another name with --as NAME.") from None


def _fetched(
    source: str, requests: Sequence[Request], timeout: float, fresh: bool, simulate: bool
) -> list[tuple[Fetched, bool]]:
    """A table each, and whether it was kept from before."""
    patience = Patience(connect_s=min(5.0, timeout), read_s=min(15.0, timeout), total_s=timeout)
    with reached(simulate) as (endpoints, env):
        at_home = {**env, "NAUTILUS_HOME": str(home())}  # the simulators' environment knows none
        opened = registry.open_cached(source, endpoints[source], at_home, patience)
        try:
            return [opened.answer(request, fresh) for request in requests]
        finally:
            opened.close()


def _put(console: Console, told: Answers, request: Request, table: Fetched, wanted: Wanted) -> ExitCode:
    """Write, import, and say so."""
    from msgspec.structs import replace

    from engines.data import fetched, importer
    from engines.data.sources import table_file

    found = None
    if wanted.out is not None:
        table_file.export(wanted.out, table)
        told = replace(told, written=str(wanted.out))
    if wanted.name:
        found = fetched.plan(table, request, wanted.name, wanted.replace)
        if not found.problems:
            importer.store(found)
        told = replace(told, imported="" if found.problems else wanted.name, problems=found.problems)
    if console.as_json:
        console.document(told)
    if wanted.out is not None:
        console.say(f"Written to {wanted.out}.", Tone.GOOD)
    if found is not None:
        report(console, found, stored=not found.problems)
    return ExitCode.FAILED if found is not None and found.problems else ExitCode.OK
