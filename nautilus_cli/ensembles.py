"""Many tapes of one scenario, made by a child process: the command line never imports an engine."""

import contextlib
import datetime as dt
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec

import engines
from engines.wire.errors import DataError
from engines.wire.scenario import Scenario
from nautilus_cli.table import Column, Table

COMMAND = (sys.executable, "-m", "engines.marketdata.tape")
LIMIT_S = 300.0  # for the next tape; the first one may have to compile its kernels
_WORDS = {
    "trades": "prints of the day",
    "halts": "halts",
    "fall": "fall of the index, %",
    "peak": "peak rate / calm rate",
    "widest": "widest spread, USD",
    "thinnest": "thinnest book / its median, %",
    "prints": "prints a timestamp",
}
_PERCENT = ("fall", "thinnest")


class Figures(msgspec.Struct, frozen=True):
    """One tape; see `engines.marketdata.tape.ensemble`.  None: not measured."""

    seed: int
    digest: str
    trades: int
    halts: int
    fall: float
    peak: float
    widest: float
    thinnest: float | None
    prints: float


class Spread(msgspec.Struct, frozen=True):
    """One figure over the seeds; `sd` with n - 1.  None: it was not measured on every tape."""

    name: str
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None


class Made(msgspec.Struct, frozen=True, tag=True):
    """The child has made a tape."""

    scenario: str
    figures: Figures


class Spreads(msgspec.Struct, frozen=True, tag=True):
    """The child has made all tapes of a scenario."""

    scenario: str
    spreads: tuple[Spread, ...]


class Mistake(msgspec.Struct, frozen=True, tag=True):
    """The child cannot go on."""

    what: str
    why: str
    next: str


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario, its tapes and what they have in common.  `conflicts`: where the day's bars overrule its shape."""

    scenario: str
    fall: float
    peak: float
    depth: float
    conflicts: tuple[str, ...]
    spreads: tuple[Spread, ...]
    tapes: tuple[Figures, ...]


class Ensemble(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.ensemble/1` document."""

    schema: str = "nautilus.ensemble/1"
    name: str
    rules_asof: dt.date
    seeds: int
    scenarios: tuple[Member, ...]


Progress = Callable[[str, int, int], None]  # what was made, done, total
_line = msgspec.json.Decoder(Made | Spreads | Mistake)


def members(
    scenarios: Sequence[Scenario],
    seeds: Sequence[int],
    progress: Progress,
    limit_s: float = LIMIT_S,
    command: Sequence[str] = COMMAND,
) -> Iterator[Member]:
    """Each scenario's tapes, as the child makes them; the child ends with this, however it ends.

    Raises:
        DataError: the child has no tape in time, or cannot make one.
    """
    from engines.wire.pins import conflicts

    ask = msgspec.json.encode({"scenarios": tuple(scenarios), "seeds": tuple(seeds)})
    total, done = len(scenarios) * len(seeds), 0
    with _child(command) as child:
        child.ask(ask)
        for scenario in scenarios:
            tapes: list[Figures] = []
            while isinstance(said := child.next(limit_s), Made):
                tapes.append(said.figures)
                done += 1
                progress(f"{scenario.name}: seed {said.figures.seed}", done, total)
            yield Member(
                scenario=scenario.name,
                fall=scenario.leg.drop,
                peak=scenario.activity.peak,
                depth=scenario.book.depth_floor,
                conflicts=conflicts(scenario),
                spreads=said.spreads,
                tapes=tuple(tapes),
            )


class _Child:
    """The process, by lines.  No thread watches the time: one could outlive an interrupt that comes as it starts."""

    def __init__(self, process: "subprocess.Popen[bytes]", told: IO[bytes]) -> None:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101 - asked for as pipes
        self._process, self._told = process, told
        self._stdin, self._stdout = process.stdin, process.stdout
        self._read = b""

    def ask(self, task: bytes) -> None:
        """Hand over its task."""
        with contextlib.suppress(BrokenPipeError):  # it is gone, which its missing answer will tell
            self._stdin.write(task)
            self._stdin.close()

    def next(self, limit_s: float) -> Made | Spreads:
        """Its next line.

        Raises:
            DataError: there is none in time, or it is a mistake.
        """
        until = time.monotonic() + limit_s
        with selectors.DefaultSelector() as ready:
            ready.register(self._stdout, selectors.EVENT_READ)
            while b"\n" not in self._read:
                if not ready.select(max(0.0, until - time.monotonic())):
                    raise DataError(f"No tape was made in {limit_s:g} s.", "", "Ask for a smaller scenario.")
                more = os.read(self._stdout.fileno(), 1 << 16)
                if not more:
                    raise self._gone()
                self._read += more
        line, _, self._read = self._read.partition(b"\n")
        said: Made | Spreads | Mistake = _line.decode(line)
        if isinstance(said, Mistake):
            raise DataError(said.what, said.why, said.next)
        return said

    def _gone(self) -> DataError:
        code = self._process.wait()
        self._told.seek(0)
        why = self._told.read().decode(errors="replace").strip()[-500:]
        return DataError(f"The tape's process ended with {code}.", why)


@contextlib.contextmanager
def _child(command: Sequence[str]) -> Iterator[_Child]:
    """A child that is killed afterwards.

    A session of its own: Ctrl-C is for us to hear.  Its folder is ours: a project's `engines` is not taken for it.
    """
    pipe, root = subprocess.PIPE, Path(engines.__file__).parents[1]
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=told, cwd=root, start_new_session=True) as process,
    ):
        try:
            yield _Child(process, told)
        finally:
            process.kill()


def table(found: Sequence[Member]) -> Table:
    """A row per figure of each scenario, with what tells the scenarios apart."""
    swept = [name for name in ("fall", "peak", "depth") if len({getattr(each, name) for each in found}) > 1]
    heads = [Column(name, True) for name in swept] + [Column("over the seeds")]
    heads += [Column(name, True) for name in ("mean", "sd", "low", "high")]
    rows = []
    for each in found:
        for spread in each.spreads:
            scale = 100 if spread.name in _PERCENT else 1
            values = (spread.mean, spread.sd, spread.low, spread.high)
            shape = [f"{getattr(each, name):g}" for name in swept]
            rows.append([*shape, _WORDS[spread.name], *(_number(value, scale) for value in values)])
    return Table(tuple(heads), rows)


def _number(value: float | None, scale: int) -> str:
    if value is None:
        return "-"
    shown = round(value * scale, 9)  # what is left of a sum of equal numbers is no deviation
    return f"{shown:,.4g}" if abs(shown) < 1000 else f"{shown:,.0f}"
