"""`nautilus bus bench`."""

from typing import Annotated

import typer

from nautilus_cli import flags
from nautilus_cli.console import Block, Console
from nautilus_cli.exits import ExitCode
from nautilus_cli.table import Cell, Column, Table, Tone
from nautilus_cli.words import number
from stress.busbench import bench as busbench
from stress.busbench.bench import BusBench, Mode

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Seconds = Annotated[
    float, typer.Option("--seconds", "-s", min=0.5, max=120.0, metavar="S", help="Publish for S seconds in each mode.")
]


@app.command()
def bench(seconds: Seconds = 5.0, as_json: flags.Json = False, quiet: flags.Quiet = False) -> None:
    """Measure two buses of its own, every message counted on both sides, beside redis-benchmark.

    Servers, settings and commit path are the product's; publishers and consumers are processes of their own.
    A target that this machine misses is said; exit 1 means that messages were lost, doubled, reordered or changed.
    """
    console = Console(as_json, quiet)
    found = busbench.run(seconds, console.say)
    if as_json:
        console.document(found)
    else:
        console.show(*_blocks(found))
    raise typer.Exit(ExitCode.OK if found.whole else ExitCode.FAILED)


def _blocks(found: BusBench) -> tuple[Block, ...]:
    head = f"{found.cpu_model}, {found.cores} cores, load average before {found.load_average:.1f}"
    columns = (
        Column("mode"), Column("published", True), Column("delivered", True), Column("lost", True),
        Column("twice", True), Column("reordered", True), Column("per second", True), Column("p50 ms", True),
        Column("p99 ms", True), Column("target"),
    )  # fmt: skip
    return head, Table(columns, [_row(mode) for mode in found.modes]), _peer(found)


def _row(mode: Mode) -> tuple[Cell | str, ...]:
    counts = mode.ticks or mode.messages
    latency = mode.intended or mode.sent
    lost = Cell(number(counts.lost, 0), Tone.BAD if counts.lost else Tone.PLAIN)
    target: Cell | str = "-"
    if mode.target is not None:
        words = f"{mode.target.text}: {'met' if mode.target.met else 'missed'}"
        target = Cell(words, Tone.GOOD if mode.target.met else Tone.WARN)
    return (
        mode.title,
        number(counts.published, 0),
        number(counts.delivered, 0),
        lost,
        number(counts.duplicates, 0),
        number(counts.reordered, 0),
        number(mode.per_s, 0),
        number(latency.p50 if latency else None, 2),
        number(latency.p99 if latency else None, 2),
        target,
    )


def _peer(found: BusBench) -> str:
    peer = found.peer
    if peer.per_s is None:
        return f"{peer.tool}: NOT AVAILABLE ({peer.why})"
    return (
        f"{peer.tool}: {peer.per_s:,.0f} entries/s published to one server in pipelines of {peer.pipeline}, "
        f"read by nobody"
    )
