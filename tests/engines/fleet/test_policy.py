"""Supervision as pure functions, replayed over fake histories."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engines.fleet import policy
from engines.fleet.policy import Action, Around, Record, Rules, backoff, exited, tick
from engines.fleet.process import Exit
from engines.wire.state import EngineState as S

RULES = Rules()
CALM = Around(ready=True, free=True, pulse=S.READY)
KILLED = Exit(None, 9)


def running(**changes: object) -> Record:
    base = Record(name="risk", wanted=True, state=S.READY, pid=7, released_at=0.0, ready_at=1.0)
    return replace(base, **changes)


def test_starts_when_its_dependencies_are_up() -> None:
    record = policy.start(Record(name="risk"))
    waiting, action = tick(record, CALM._replace(ready=False), 0.0, RULES)
    assert (waiting.state, action) == (S.DECLARED, None)
    started, action = tick(record, CALM, 0.0, RULES)
    assert (started.state, action, started.released_at) == (S.STARTING, Action.LAUNCH, 0.0)


def test_gated_is_forked_early_and_released_when_its_dependencies_are_up() -> None:
    record, action = tick(policy.start(Record(name="risk", gated=True)), CALM._replace(ready=False), 0.0, RULES)
    assert action is Action.LAUNCH and record.released_at is None
    record = policy.launched(record, 7)
    record, action = tick(record, CALM._replace(ready=False, pulse=None), 1.0, RULES)
    assert action is None
    record, action = tick(record, CALM._replace(pulse=None), 2.0, RULES)
    assert action is Action.RELEASE and record.released_at == 2.0
    record, action = tick(record, CALM, 3.0, RULES)
    assert record.state is S.READY and record.ready_at == 3.0


def test_boot_time_counts_from_the_release() -> None:
    record = running(state=S.STARTING, released_at=10.0, boot_s=5.0)
    assert tick(record, CALM._replace(pulse=None), 14.9, RULES)[1] is None
    record, action = tick(record, CALM._replace(pulse=None), 15.1, RULES)
    assert action is Action.KILL
    assert tick(record, CALM._replace(pulse=None), 15.2, RULES)[1] is None, "one kill is enough"
    assert exited(record, KILLED, 15.3, RULES, 0.5).cause == "not ready within 5 s (killed by SIGKILL)"


def test_stall_is_dumped_then_killed_and_counts_as_a_crash() -> None:
    record, action = tick(running(), CALM._replace(silent_s=RULES.stall_s - 0.01), 50.0, RULES)
    assert action is None
    record, action = tick(record, CALM._replace(silent_s=RULES.stall_s + 0.1), 50.0, RULES)
    assert action is Action.DUMP
    assert tick(record, CALM, 50.0 + RULES.dump_s / 2, RULES)[1] is None
    record, action = tick(record, CALM, 50.0 + RULES.dump_s, RULES)
    assert action is Action.KILL
    after = exited(record, KILLED, 51.0, RULES, 0.5)
    assert after.state is S.CRASHED and len(after.crashes) == 1 and after.cause.startswith("stalled: ")


@pytest.mark.parametrize("pulse", [S.READY, S.DEGRADED, S.HALTED])
def test_the_engine_reports_its_own_state(pulse: S) -> None:
    assert tick(running(), CALM._replace(pulse=pulse), 2.0, RULES)[0].state is pulse


def test_a_report_of_starting_after_ready_is_degraded() -> None:
    assert tick(running(), CALM._replace(pulse=S.STARTING), 2.0, RULES)[0].state is S.DEGRADED


def test_crash_waits_then_starts_again() -> None:
    record = exited(running(), Exit(3), 100.0, RULES, 0.5)
    assert (record.state, record.due_at, record.cause, record.pid) == (S.CRASHED, 100.1, "exit code 3", 0)
    record, action = tick(record, CALM, 100.0, RULES)
    assert (record.state, action) == (S.BACKOFF, None)
    assert tick(record, CALM, 100.09, RULES)[1] is None
    record, action = tick(record, CALM, 100.11, RULES)
    assert (record.state, action, record.restarts) == (S.STARTING, Action.LAUNCH, 1)


def test_a_restart_does_not_wait_for_dependencies() -> None:
    record = running(state=S.STARTING, released_at=None, gated=True, restarts=1)
    assert tick(record, CALM._replace(ready=False, pulse=None), 5.0, RULES)[1] is Action.RELEASE


def test_five_crashes_in_the_window_are_a_crash_loop() -> None:
    record = running()
    for number in range(RULES.crashes):
        assert record.state is not S.FAILED
        record = exited(replace(record, state=S.READY, pid=7), Exit(3), 10.0 + number, RULES, 0.5)
    assert record.state is S.FAILED and record.due_at is None and "5 crashes in 60 s" in record.cause


def test_crashes_out_of_the_window_are_not_a_loop_but_lengthen_the_back_off() -> None:
    record, waits = running(), []
    for number in range(6):
        at = 20.0 * number
        record = exited(replace(record, state=S.READY, pid=7), Exit(3), at, RULES, 0.5)
        assert record.state is S.CRASHED and record.due_at is not None
        waits.append(record.due_at - at)
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2])


def test_health_for_a_minute_forgets_the_past() -> None:
    record = running(ready_at=0.0, crashes=(1.0,), streak=4)
    assert tick(record, CALM, 59.0, RULES)[0].streak == 4
    assert tick(record, CALM, 60.0, RULES)[0].streak == 0


def test_a_manifest_has_its_own_window() -> None:
    record = running(crash_limit=2, window_s=5.0)
    first = exited(record, Exit(3), 10.0, RULES, 0.5)
    apart = exited(replace(first, state=S.READY, pid=7), Exit(3), 15.1, RULES, 0.5)
    assert first.state is S.CRASHED and apart.state is S.CRASHED
    loop = exited(replace(apart, state=S.READY, pid=7), Exit(3), 20.0, RULES, 0.5)
    assert loop.state is S.FAILED and loop.cause.startswith("2 crashes in 5 s")


def test_one_over_its_limit_is_stopped_and_counts_as_a_crash() -> None:
    over = CALM._replace(excess="over its memory limit: 70 MB of 50 MB")
    record, action = tick(running(), over, 50.0, RULES)
    assert action is Action.TERM and record.state is S.READY
    assert tick(record, over, 50.0 + RULES.grace_s, RULES)[1] is None, "once is enough"
    clean = exited(record, Exit(0), 51.0, RULES, 0.5)
    assert clean.state is S.CRASHED and len(clean.crashes) == 1 and clean.stop_at is None
    assert clean.cause == "over its memory limit: 70 MB of 50 MB (exit code 0)"
    record, action = tick(record, CALM, 50.1 + RULES.grace_s, RULES)
    assert action is Action.KILL and "did not stop within 5 s" in record.verdict


def test_one_that_is_stopped_while_it_starts_is_not_waited_for() -> None:
    record = running(state=S.STARTING, released_at=49.0, boot_s=20.0)
    seen = CALM._replace(pulse=None, silent_s=RULES.stall_s - 0.01)
    assert tick(record, seen, 50.0, RULES)[1] is None
    record, action = tick(record, seen._replace(silent_s=RULES.stall_s + 0.1), 50.2, RULES)
    assert action is Action.KILL and record.verdict.startswith("stalled while it started")
    assert tick(record, seen._replace(silent_s=9.0), 50.3, RULES)[1] is None, "one kill is enough"


def test_permanent_failure_is_not_restarted() -> None:
    assert exited(running(), Exit(78), 5.0, RULES, 0.5).state is S.FAILED


def test_an_announced_end_is_not_counted_and_only_once() -> None:
    record = exited(policy.announce(running(), 30.0), KILLED, 20.0, RULES, 0.5)
    assert record.crashes == () and record.due_at == pytest.approx(20.1)
    again = exited(replace(record, state=S.READY, pid=8), KILLED, 21.0, RULES, 0.5)
    assert len(again.crashes) == 1
    late = exited(policy.announce(running(), 30.0), KILLED, 31.0, RULES, 0.5)
    assert len(late.crashes) == 1


@pytest.mark.parametrize(
    ("restart", "how", "state"),
    [
        ("always", Exit(0), S.CRASHED),
        ("always", Exit(3), S.CRASHED),
        ("on-failure", Exit(0), S.STOPPED),
        ("on-failure", Exit(3), S.CRASHED),
        ("never", Exit(0), S.STOPPED),
        ("never", KILLED, S.FAILED),
    ],
)
def test_restart_policies(restart: str, how: Exit, state: S) -> None:
    record = exited(running(restart=restart), how, 5.0, RULES, 0.5)
    assert record.state is state
    assert (record.due_at is not None) == (state is S.CRASHED)


def test_stop_waits_for_dependents_then_escalates() -> None:
    record = policy.stop(running())
    assert tick(record, CALM._replace(free=False), 5.0, RULES)[1] is None
    record, action = tick(record, CALM, 5.0, RULES)
    assert (record.state, action) == (S.STOPPING, Action.TERM)
    assert tick(record, CALM, 5.0 + RULES.grace_s, RULES)[1] is None
    record, action = tick(record, CALM, 5.1 + RULES.grace_s, RULES)
    assert action is Action.KILL
    record = exited(record, KILLED, 11.0, RULES, 0.5)
    assert record.state is S.STOPPED and "did not stop within 5 s" in record.cause and record.over


def test_hasty_stop_does_not_wait() -> None:
    record, action = tick(policy.stop(running(), hasty=True), CALM._replace(free=False), 5.0, RULES)
    assert action is Action.TERM
    assert tick(record, CALM, 5.3, RULES)[1] is Action.KILL


def test_operator_restart_ends_once_and_starts_clean() -> None:
    record = policy.restart(running(crashes=(1.0, 2.0), streak=2))
    record, action = tick(record, CALM._replace(free=False), 5.0, RULES)
    assert action is Action.TERM, "dependents do not hold up a restart"
    record = exited(record, Exit(0), 5.5, RULES, 0.5)
    record, action = tick(record, CALM, 5.5, RULES)
    assert action is Action.LAUNCH and record.crashes == ()
    assert tick(policy.restart(running(state=S.FAILED, pid=0)), CALM, 6.0, RULES)[1] is Action.LAUNCH


@given(st.integers(0, 200), st.floats(0, 1))
def test_back_off_is_bounded_and_grows(streak: int, jitter: float) -> None:
    wait = backoff(streak, RULES, jitter)
    assert RULES.base_s * 0.75 <= wait <= RULES.cap_s * 1.25
    assert backoff(streak + 1, RULES, jitter) >= wait


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["tick", "exit", "start", "stop", "restart", "launched", "announce"]),
        st.booleans(),
        st.booleans(),
        st.sampled_from([None, *S]),
        st.sampled_from([0.0, 0.0, 10.0]),
        st.sampled_from([Exit(0), Exit(3), Exit(78), KILLED]),
        st.floats(0.001, 40.0),
    ),
    max_size=60,
)


@given(EVENTS, st.booleans(), st.sampled_from(["always", "on-failure", "never"]))
def test_any_history_keeps_one_process_and_can_be_stopped(history: list, gated: bool, restart: str) -> None:
    """Never a second process, never a restart of what is not wanted or was given up; `stop` always comes to an end."""
    record, now, expected = Record(name="risk", gated=gated, restart=restart), 0.0, False
    for what, ready, free, pulse, silent, how, step in history:
        now += step
        if what == "exit" and record.pid:
            record, expected = exited(record, how, now, RULES, 0.5), False
        elif what == "launched" and expected and not record.pid:
            record = policy.launched(record, 7)
        elif what == "announce":
            record = policy.announce(record, now + 5)
        elif what in ("start", "stop", "restart"):
            record = getattr(policy, what)(record)
        else:
            before = record
            record, action = tick(record, Around(ready, free, pulse, silent), now, RULES)
            if action is Action.LAUNCH:
                assert not expected and before.wanted and before.state is not S.FAILED
                expected = True
            if action in (Action.TERM, Action.KILL, Action.DUMP):
                assert record.pid
    record = policy.stop(record)
    for _ in range(8):
        now += RULES.grace_s + 1
        if record.over:
            break
        if expected and not record.pid:
            record = policy.launched(record, 7)
        record, action = tick(record, Around(True, True, None), now, RULES)
        assert action is not Action.LAUNCH
        if record.killed:
            record = exited(record, KILLED, now, RULES, 0.5)
    assert record.over


def test_start_while_it_stops_comes_after_the_stop() -> None:
    record, _ = tick(policy.stop(running()), CALM, 5.0, RULES)
    record = exited(policy.start(record), Exit(0), 5.2, RULES, 0.5)
    assert tick(record, CALM, 5.2, RULES)[1] is Action.LAUNCH and record.crashes == ()
