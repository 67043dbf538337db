"""A mission's screen: words folded into a state, the state as lines of any size, the terminal as it was."""

import io
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console as Rich

from nautilus_cli import live_state
from nautilus_cli.live_state import LiveState
from nautilus_cli.live_view import Screen, chart, layout
from nautilus_cli.words import number
from stress.load.result import LoadSecond, TargetCounts
from stress.progress import FaultNote, Light, Price, Progress

NAMES = ("backend", "analytics", "backtesting", "risk", "factor", "ml", "features", "websocket", "strategy",
         "marketdata", "portfolio", "collateral", "vpin")  # fmt: skip
STEPS = (("boot", 4.0), ("idle", 5.0), ("calibrate", 16.0), ("before", 20.0), ("window", 60.0), ("close", 12.0))
NOON_NS = 1_273_176_000_000_000_000 - 4 * 3_600_000_000_000  # 2010-05-06 16:00 UTC, noon in New York


def second(done: int, failed: int = 0) -> LoadSecond:
    counts = TargetCounts(done + failed, done, done, {"timeout": failed} if failed else {}, 0, 384, 0)
    return LoadSecond("window", 0, 0, dict.fromkeys(NAMES, counts))


def flown() -> LiveState:
    """In the middle of a storm: risk is down by a fault, and prices fall."""
    state = live_state.begin("Flash crash of 2010-05-06", STEPS, 0.0)
    for at, phase in (
        (1.0, "boot"),
        (4.0, "idle"),
        (9.0, "calibrate-compute"),
        (20.0, "calibrate-health"),
        (30.0, "window"),
    ):
        state = live_state.hear(state, Progress(phase, "start", at, 117.0), at)
    well = dict.fromkeys(NAMES, Light("healthy", 0.7))
    for n in range(30):
        at = 31.0 + n
        price = Price("ESX", NOON_NS + n * 10**9, 1000.0 - n)
        state = live_state.hear(state, Progress("window", f"second {n}", at, 117.0, load=second(100 + n)), at)
        state = live_state.hear(state, Progress("window", "health", at, 117.0, engines=well, price=price), at)
    down = Progress("window", "health", 61.0, 117.0, engines={**well, "risk": Light("down", None)})
    state = live_state.hear(state, down, 61.0)
    killed = Progress("window", "inject kill risk", 61.0, 117.0, fault=FaultNote("1", "kill risk", "inject"))
    return live_state.note(live_state.hear(state, killed, 61.0), "Interrupted: stopping the fleet.")


def shown(state: LiveState, width: int, height: int, now: float = 61.0) -> list[str]:
    file = io.StringIO()
    Rich(file=file, width=width, height=height, color_system=None).print(Screen(state, now))
    return [line.rstrip() for line in file.getvalue().rstrip("\n").split("\n")]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_everything_is_on_the_screen(width: int, height: int) -> None:
    lines = shown(flown(), width, height)
    text = "\n".join(lines)
    assert len(lines) <= height and max(map(len, lines)) <= width
    assert lines[0].startswith("Flash crash of 2010-05-06") and lines[0].endswith("1 m 01 s of about 1 m 57 s")
    assert lines[1].endswith("52%")
    assert (
        "✓ boot             3 s" in text
        and "● window           29 s left" in text
        and "· close            12 s" in text
    )
    assert "1,677/s answered of 1,677/s due   4,992 connections   0 errors" in text
    assert "ESX 971.00  -2.90 %  at 12:00:29 in New York" in text
    assert "12 of 13 healthy" in text and "risk        down" in text and "in force: kill risk" in text
    assert "Interrupted: stopping the fleet." in text
    assert sum("▂" in line or "█" in line for line in lines) >= (2 if height == 24 else 6)


@given(width=st.integers(20, 200), height=st.integers(1, 60))
def test_it_fits_every_terminal(width: int, height: int) -> None:
    lines = shown(flown(), width, height)
    assert len(lines) <= height and max(map(len, lines)) <= width
    assert len(layout(flown(), 61.0, width, height)) <= height


def test_time_goes_on_between_two_words() -> None:
    early, late = shown(flown(), 80, 24, 61.0), shown(flown(), 80, 24, 71.0)
    assert "29 s left" in "\n".join(early) and "19 s left" in "\n".join(late)
    assert "over its time" in "\n".join(shown(flown(), 80, 24, 161.0)) and "100%" in shown(flown(), 80, 24, 161.0)[1]


def test_nothing_is_made_up_before_it_is_known() -> None:
    lines = "\n".join(shown(live_state.begin("Health", STEPS, 0.0), 80, 24, 0.0))
    assert all(word not in lines for word in ("answered", "price", "engines", "faults"))


def test_a_fault_that_was_healed_is_not_in_force() -> None:
    healed = Progress("window", "heal kill risk", 62.0, 117.0, fault=FaultNote("1", "kill risk", "heal"))
    assert "in force" not in "\n".join(shown(live_state.hear(flown(), healed, 62.0), 80, 24))


def test_errors_are_counted_over_all_seconds() -> None:
    state = live_state.begin("x", STEPS, 0.0)
    for failed in (1, 0, 2):
        state = live_state.hear(state, Progress("window", "", 1.0, 2.0, load=second(10, failed)), 1.0)
    assert state.errors == 3 * len(NAMES) and [rate.errors for rate in state.rates] == [13, 0, 26]


def test_phases_never_go_back_and_an_unknown_one_changes_nothing() -> None:
    state = flown()
    for phase in ("end", "idle", "boot", "stopping"):
        assert live_state.hear(state, Progress(phase, "", 62.0, 117.0), 62.0).phases == state.phases
    assert [phase.took_s for phase in state.phases[:4]] == [3, 5, 21, 0]
    assert state.phases[4].took_s is None


def test_a_price_of_another_symbol_begins_a_new_chart() -> None:
    def said(symbol: str, ts_ns: int) -> Progress:
        return Progress("window", "health", 1.0, 2.0, price=Price(symbol, ts_ns, 1.0))

    state = live_state.hear(live_state.begin("x", STEPS, 0.0), said("A", 5), 1.0)
    assert live_state.hear(state, said("A", 5), 1.0).prices == state.prices  # nothing new
    assert [each.symbol for each in live_state.hear(state, said("B", 1), 1.0).prices] == ["B"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.integers(1, 120), st.integers(1, 8))
def test_a_chart_has_its_size_and_its_extremes(values: list[float], width: int, rows: int) -> None:
    lines = chart(values, width, rows)
    seen = values[-width:]
    assert len(lines) == rows and all(len(line) == len(seen) for line in lines)
    if max(seen) - min(seen) > 1e-6:
        assert lines[0][seen.index(max(seen))] == "█"
        low = seen.index(min(seen))
        assert [line[low] for line in lines] == [" "] * (rows - 1) + ["▁"]


def test_ctrl_c_leaves_the_terminal_as_it_was() -> None:
    """In a terminal of its own: the alternate screen and the cursor come back however it ends."""
    text = (
        "import sys, time; from nautilus_cli.live_view import LiveView\n"
        "try:\n"
        "    with LiveView('Title of it', [('a', 1.0)], time.monotonic).shown(sys.stderr): time.sleep(60)\n"
        "except KeyboardInterrupt: pass"
    )
    leader, follower = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color"}
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen([sys.executable, "-c", text], stderr=follower, cwd=root, env=env) as child:
        os.close(follower)
        seen = b""
        until = time.monotonic() + 30.0
        while b"Title of it" not in seen and time.monotonic() < until:
            seen += os.read(leader, 65_536)
        child.send_signal(signal.SIGINT)
        child.wait(30.0)
    while True:
        try:
            data = os.read(leader, 65_536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not data:
            break
        seen += data
    os.close(leader)
    assert seen.count(b"\x1b[?1049h") == 1 == seen.count(b"\x1b[?1049l")
    assert seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l") > 0


def test_the_latency_of_the_last_second_is_shown_where_it_is_told() -> None:
    told = msgspec.structs.replace(second(10, 0), p50_us=1_250, p99_us=23_400)
    state = live_state.hear(flown(), Progress("window", "", 62.0, 117.0, load=told), 62.0)
    assert f"p50 {number(1.25)} ms, p99 {number(23.4)} ms" in "\n".join(shown(state, 120, 40))
    assert "p99" not in "\n".join(shown(flown(), 120, 40))
