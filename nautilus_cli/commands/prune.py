"""`nautilus prune`."""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer

from engines.fleet import folders, ground, logtime
from engines.fleet.errors import AlreadyRunning
from engines.fleet.folders import Folders
from engines.wire.settings import DEFAULT_FLEET, home
from nautilus_cli import flags
from nautilus_cli.console import Console
from nautilus_cli.runs_found import RUNS
from nautilus_cli.table import Column, Table
from nautilus_cli.words import count
from reports import prune as pruning
from reports.prune import Item, Plan, Quota

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Keep = Annotated[int | None, typer.Option("--keep", min=0, metavar="N", help="Keep the newest N runs only.")]
MaxMb = Annotated[
    float | None, typer.Option("--max-mb", min=0, metavar="MB", help="Keep the newest runs that fit in MB megabytes.")
]
OlderThan = Annotated[
    str | None,
    typer.Option("--older-than", metavar="AGE", help="Only what is older: 90m, 12h, 30d; alone, such runs."),
]
Logs = Annotated[bool, typer.Option("--logs", help="The logs that were set aside; never those in use.")]
Crashes = Annotated[bool, typer.Option("--crashes", help="The crash bundles.")]
Cache = Annotated[bool, typer.Option("--cache", help="What was fetched from data sources; it is fetched again.")]
Store = Annotated[bool, typer.Option("--store", help="The store of a fleet that is down.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be deleted, and stop there.")]


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One file or folder.  `why`: for what it is spared."""

    kind: str
    path: str
    bytes: int
    why: str = ""


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.prune/1` document.  With `dry_run`, nothing has been removed yet."""

    schema: str = "nautilus.prune/1"
    dry_run: bool
    removed: tuple[Piece, ...]
    spared: tuple[Piece, ...]
    kept: int
    freed_bytes: int


@app.command()
def prune(  # noqa: PLR0913 - one parameter a flag: Typer reads the signature
    *,
    keep: Keep = None,
    max_mb: MaxMb = None,
    older_than: OlderThan = None,
    logs: Logs = False,
    crashes: Crashes = False,
    cache: Cache = False,
    store: Store = False,
    dry_run: DryRun = False,
    root: flags.Runs = RUNS,
    fleet: flags.Fleet = DEFAULT_FLEET,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Delete old runs, logs, crash bundles, caches and stores, by quotas.

    A run that is being written stays, and so does whatever a running fleet uses.
    """
    console = Console(as_json, quiet)
    now = time.time()
    age = None if older_than is None else now - logtime.since(older_than, now)
    if age is not None and age <= 0:
        raise typer.BadParameter("that lies in the future", param_hint="--older-than")
    chosen = {"logs": logs, "crashes": crashes, "cache": cache, "store": store}
    others = [name for name, wanted in chosen.items() if wanted]
    quota = Quota(keep, None if max_mb is None else round(max_mb * 1e6), age)
    if quota.empty and not others:
        raise typer.BadParameter("say what may go: --keep, --max-mb, --older-than, --logs, --crashes, --cache, --store")
    of_runs = not quota.empty and not (others and keep is None and max_mb is None)
    rest = Quota(keep=0) if age is None else Quota(older_than_s=age)
    with _lock(fleet, wanted=store) as used:
        plans = [pruning.plan(pruning.runs_in(root.absolute(), now), quota, now)] if of_runs else []
        plans += [pruning.plan(_items(name, folders.of(fleet), used), rest, now) for name in others]
        whole = pruning.together(plans)
        if not dry_run:
            pruning.carry_out(whole)
    _tell(console, whole, dry_run)


@contextlib.contextmanager
def _lock(fleet: str, wanted: bool) -> Iterator[str]:
    """The fleet's lock while its store is deleted, so that it cannot start meanwhile; gives why the store must stay."""
    where = folders.of(fleet)
    if not wanted or not where.lock.exists():
        yield ""
        return
    try:
        lock = ground.take_lock(where)
    except AlreadyRunning:
        yield f"fleet {fleet!r} is up and uses it"
        return
    try:
        yield ""
    finally:
        os.close(lock)


def _items(name: str, where: Folders, used: str) -> list[Item]:
    if name == "logs":
        return pruning.children("log", where.logs, "*.log.[0-9]*")
    if name == "crashes":
        return pruning.children("crash", where.state / "crashes", "*")
    if name == "cache":
        return pruning.children("cache", home() / "data" / "cache", "*")
    return pruning.children("store", where.store, "*", used)


def _tell(console: Console, whole: Plan, dry_run: bool) -> None:
    if console.as_json:
        console.document(
            Pruned(
                dry_run=dry_run,
                removed=tuple(map(_piece, whole.remove)),
                spared=tuple(map(_piece, whole.spared)),
                kept=len(whole.keep),
                freed_bytes=whole.freed,
            )
        )
        return
    if whole.remove:
        rows = [(item.kind, f"{item.bytes / 1e6:,.1f}", _when(item), str(item.path)) for item in whole.remove]
        console.show(Table((Column("kind"), Column("MB", True), Column("of"), Column("path")), rows))
    for item in whole.spared:
        console.say(f"Spared {item.path}: {item.spared}.")
    verb = "Would free" if dry_run else "Freed"
    console.say(f"{verb} {whole.freed / 1e6:,.1f} MB: {count(len(whole.remove), 'item')}; {len(whole.keep):,} stay.")


def _when(item: Item) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(item.at))


def _piece(item: Item) -> Piece:
    return Piece(kind=item.kind, path=str(item.path), bytes=item.bytes, why=item.spared)
