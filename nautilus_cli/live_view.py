"""A mission under way as a screen: phases, load, prices, engines, faults and words.  `Screen` only formats a state."""

import contextlib
import datetime as dt
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TextIO
from zoneinfo import ZoneInfo

from rich.console import Console as Rich
from rich.console import ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.style import Style

from nautilus_cli import live_state
from nautilus_cli.live_state import LiveState, Phase, Rate
from nautilus_cli.words import count, duration, number
from stress.progress import Light, Progress

RATE_HZ = 2.0  # a terminal shows no more to an eye, and each costs a share of the cores that are measured
_MARKET = ZoneInfo("America/New_York")
_BARS = " ▁▂▃▄▅▆▇█"
_STYLES = {
    "": Style(), "title": Style(bold=True), "faint": Style(dim=True), "good": Style(color="green"),
    "warn": Style(color="yellow"), "bad": Style(color="red", bold=True), "bar": Style(color="cyan"),
}  # fmt: skip
_TONES = {"healthy": "good", "starting": "warn", "degraded": "warn", "halted": "warn", "down": "bad"}
_LABEL, _ENGINE, _PHASE = 10, 27, 30  # widths
_TALL = 34  # lines from which there is room for taller charts

Line = list[tuple[str, str]]  # texts and their styles' names


class Screen:
    """The state at `now` of the reader's clock, as large as the terminal is."""

    def __init__(self, state: LiveState, now: float) -> None:
        self._state = state
        self._now = now

    def __rich_console__(self, console: Rich, options: ConsoleOptions) -> RenderResult:
        """Lines of segments, none wider than the screen, no more than it holds."""
        height = options.height if options.height is not None else console.height
        lines = layout(self._state, self._now, options.max_width, height)
        for place, line in enumerate(lines):
            if place:
                yield Segment.line()
            left = options.max_width
            for text, style in line:
                if left > 0 and text:
                    yield Segment(text[:left], _STYLES[style])
                    left -= len(text)


def layout(state: LiveState, now: float, width: int, height: int) -> list[Line]:
    """The screen's lines; the messages take what is left."""
    tall = height >= _TALL
    lines = [*_head(state, now, width), []]
    lines += [*_phases(state, now, width, 8 if tall else 4), []]
    lines += _load(state, width, 3 if tall else 1)
    lines += _price(state, width, 6 if tall else 1)
    lines += [*_engines(state, width), *_faults(state), []]
    room = max(0, height - len(lines))
    lines += [[(words, "faint")] for words in state.words[-room:]] if room else []
    return lines[:height]


def _head(state: LiveState, now: float, width: int) -> Iterator[Line]:
    done = state.done_s + max(0.0, now - state.heard_s)
    share = min(1.0, done / state.total_s) if state.total_s else 0.0
    clock = f"{_seconds(math.floor(done))} of about {_seconds(math.ceil(state.total_s))}"
    yield _spread((state.title, "title"), (clock, ""), width)
    filled = round(share * (width - 6))
    yield [("━" * filled, "bar"), ("─" * (width - 6 - filled), "faint"), (f"{share:>5.0%}", "")]


def _phases(state: LiveState, now: float, width: int, rows: int) -> list[Line]:
    """Columns of phases, read downwards; when there are too many, those around the current one."""
    columns = max(1, width // _PHASE)
    room = rows * columns
    first = max(0, min(state.current - room // 3, len(state.phases) - room))
    shown = state.phases[first : first + room]
    used = min(rows, math.ceil(len(shown) / columns)) or 1
    cells = [_phase(each, first + place == state.current, state, now) for place, each in enumerate(shown)]
    return [[part for cell in cells[row::used] for part in _padded(cell, _PHASE)] for row in range(used)]


def _phase(phase: Phase, current: bool, state: LiveState, now: float) -> Line:
    name = phase.name if len(phase.name) <= 16 else phase.name[:15] + "…"
    if phase.took_s is not None:
        return [("✓ ", "good"), (f"{name:<16} ", "faint"), (_seconds(phase.took_s), "faint")]
    if current and phase.began_s is not None:
        left = phase.planned_s - (state.done_s + max(0.0, now - state.heard_s) - phase.began_s)
        words = f"{_seconds(math.ceil(left))} left" if left > 0 else "over its time"
        return [("● ", "bar"), (f"{name:<16} ", "title"), (words, "bar")]
    return [("· ", "faint"), (f"{name:<16} ", ""), (_seconds(phase.planned_s), "faint")]


def _load(state: LiveState, width: int, rows: int) -> list[Line]:
    if not state.rates:
        return [_labelled("now", [(state.text, "")])]
    last = state.rates[-1]
    due = f" of {number(last.due, 0)}/s due" if last.due else ""  # a closed loop has no schedule
    facts: Line = [
        (f"{number(last.done, 0)}/s answered", "title"), (due, ""),
        (_latency(last), "title"),
        (f"   {number(last.open, 0)} connections", ""),
        (f"   {count(state.errors, 'error')}", "bad" if state.errors else "good"),
    ]  # fmt: skip
    lines = [_labelled("now", [(state.text, "")]), _labelled("load", facts)]
    drawn = chart([rate.done for rate in state.rates], width - _LABEL, rows, low=0.0)
    return lines + [_labelled("", [(row, "bar")]) for row in drawn]


def _latency(rate: Rate) -> str:
    if rate.p50_us is None or rate.p99_us is None:
        return ""
    return f"   p50 {number(rate.p50_us / 1e3)} ms, p99 {number(rate.p99_us / 1e3)} ms"


def _price(state: LiveState, width: int, rows: int) -> list[Line]:
    if not state.prices:
        return []
    last, first = state.prices[-1], state.prices[0]
    change = (last.value / first.value - 1) * 100 if first.value else 0.0
    facts: Line = [
        (f"{last.symbol} {number(last.value, 2)}", "title"), (f"  {change:+.2f} %", "bad" if change < 0 else "good"),
        (f"  at {_clock(last.ts_ns)} in New York", "faint"),
    ]  # fmt: skip
    drawn = chart([price.value for price in state.prices], width - _LABEL, rows)
    return [_labelled("price", facts), *(_labelled("", [(row, "warn")]) for row in drawn)]


def _engines(state: LiveState, width: int) -> list[Line]:
    """Columns of engines: state, and how long the last health request took."""
    if not state.engines:
        return []
    columns = max(1, (width - _LABEL) // _ENGINE)
    rows = math.ceil(len(state.engines) / columns)
    cells = [_engine(name, light) for name, light in state.engines.items()]
    table = [[part for cell in cells[row::rows] for part in _padded(cell, _ENGINE)] for row in range(rows)]
    well = sum(light.status == "healthy" for light in state.engines.values())
    head = _labelled("engines", [(f"{well} of {len(cells)} healthy; ms to answer for health", "faint")])
    return [head, *(_labelled("", row) for row in table)]


def _engine(name: str, light: Light) -> Line:
    tone = _TONES.get(light.status, "")
    took = "-" if light.response_ms is None else number(light.response_ms)
    mark = "●" if light.status == "healthy" else light.status
    return [(f"{name:<12}", "" if tone == "good" else tone), (f"{mark} ", tone), (f"{took:>7}", "faint")]


def _faults(state: LiveState) -> list[Line]:
    if not state.faults:
        return []
    return [_labelled("faults", [("in force: " + ", ".join(state.faults.values()), "bad")])]


def chart(values: Sequence[float], width: int, rows: int, low: float | None = None) -> list[str]:
    """The last `width` values as a chart of so many rows, highest first; `low` None: the smallest is the floor."""
    shown = list(values)[-max(1, width) :]
    floor = min(shown) if low is None else low
    span = max(shown) - floor
    steps = 8 * rows
    heights = [steps // 2 if span <= 0 else max(1, round((value - floor) / span * steps)) for value in shown]
    return ["".join(_BARS[max(0, min(8, high - 8 * row))] for high in heights) for row in reversed(range(rows))]


def _seconds(value: float) -> str:
    """Whole ones below a minute."""
    return f"{value:.0f} s" if value < 60 else duration(value)


def _labelled(label: str, parts: Line) -> Line:
    return [(f"{label:<{_LABEL}}", "faint"), *parts]


def _padded(cell: Line, width: int) -> Line:
    used = sum(len(text) for text, _ in cell)
    return [*cell, (" " * max(1, width - used), "")]


def _spread(left: tuple[str, str], right: tuple[str, str], width: int) -> Line:
    gap = max(2, width - len(left[0]) - len(right[0]))
    return [left, (" " * gap, ""), right]


def _clock(ts_ns: int) -> str:
    """New York's time of a market instant."""
    return dt.datetime.fromtimestamp(ts_ns / 1e9, _MARKET).strftime("%H:%M:%S")


class LiveView:
    """Hears a mission; the screen looks at its state twice a second, from a thread of its own."""

    def __init__(self, title: str, steps: Iterable[tuple[str, float]], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._state = live_state.begin(title, tuple(steps), clock())

    def hear(self, said: Progress) -> None:
        """A word of the mission."""
        self._state = live_state.hear(self._state, said, self._clock())

    def note(self, words: str) -> None:
        """A word of the command."""
        self._state = live_state.note(self._state, words)

    @contextlib.contextmanager
    def shown(self, to: TextIO) -> Iterator[None]:
        """Inside, the screen stands on a terminal; however this is left, the terminal is as it was."""
        rich = Rich(file=to)
        with Live(
            get_renderable=lambda: Screen(self._state, self._clock()),
            console=rich,
            screen=True,
            refresh_per_second=RATE_HZ,
            redirect_stdout=False,
            redirect_stderr=False,
        ):
            yield
