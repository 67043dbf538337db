"""Rolling restarts over a fleet of values: the order, the chains, and never two of a chain down."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engines.fleet.errors import TimedOut
from engines.fleet.rolling import blocker, chain, plan, roll
from engines.fleet.status import EngineStatus, FleetStatus, Paths, SupervisorStatus
from engines.wire.errors import UnknownName


def engine(name: str, *after: str, state: str = "ready", wanted: bool = True) -> EngineStatus:
    return EngineStatus(
        name=name, title="", state=state, wanted=wanted, pid=1, uptime_s=1.0, restarts=0, rss_mb=None, cpu_percent=None,
        port=1, critical=False, boot_s=None, cause="", waits_for=(), after=after,
    )  # fmt: skip


LINE = (engine("c", "b"), engine("a"), engine("b", "a"), engine("lone"))


@dataclass
class Fleet:
    """A fleet that does as it is told, with a clock of its own; `sick` never become ready again."""

    engines: dict[str, EngineStatus]
    sick: set[str] = field(default_factory=set)
    slow: dict[str, int] = field(default_factory=dict)  # how many looks a dependent stays degraded after a restart
    now: float = 0.0
    down: list[str] = field(default_factory=list)

    def look(self) -> FleetStatus:
        for name in [name for name, looks in self.slow.items() if looks > 0]:
            self.slow[name] -= 1
            self.engines[name] = replace(self.engines[name], state="ready" if self.slow[name] == 0 else "degraded")
        supervisor = SupervisorStatus(
            pid=1, started_at="", uptime_s=0, launch="spawn", protocol=1, rss_mb=None, cpu_percent=None
        )
        paths = Paths(state="", logs="", store="", journal="", control="")
        return FleetStatus(
            at="", fleet="toy", host="", port_offset=0, supervisor=supervisor, buses=(),
            engines=tuple(self.engines.values()), paths=paths,
        )  # fmt: skip

    def restart(self, name: str) -> FleetStatus:
        others = chain(tuple(self.engines.values()), name)
        assert all(self.engines[one].state == "ready" for one in others), "two of a chain are down"
        self.down.append(name)
        self.engines[name] = replace(self.engines[name], state="failed" if name in self.sick else "ready", cause="ill")
        return self.look()

    def roll(self, names: tuple[str, ...]):  # type: ignore[no-untyped-def]
        def pause(seconds: float) -> None:
            self.now += seconds

        return roll(names, self.look, self.restart, 1.0, lambda: self.now, pause)


def of(*engines: EngineStatus) -> Fleet:
    return Fleet({each.name: each for each in engines})


def test_dependencies_come_first_and_only_what_was_asked_for() -> None:
    assert plan(LINE, ()) == ("a", "lone", "b", "c")
    assert plan(LINE, ("c", "a")) == ("a", "c")
    assert plan((*LINE, engine("idle", wanted=False)), ()) == ("a", "lone", "b", "c")
    with pytest.raises(UnknownName, match="Did you mean 'lone'"):
        plan(LINE, ("lon",))


def test_a_chain_reaches_both_ways() -> None:
    assert chain(LINE, "b") == {"a", "c"} and chain(LINE, "c") == {"a", "b"} and chain(LINE, "lone") == set()


def test_it_stops_where_one_fails_and_says_what_is_left() -> None:
    fleet = of(*LINE)
    fleet.sick = {"b"}
    found = fleet.roll(plan(LINE, ()))
    assert (found.done, found.failed, found.left) == (("a", "lone"), "b", ("c",)) and found.why == "b is failed: ill"
    assert fleet.down == ["a", "lone", "b"]


def test_an_engine_whose_chain_is_not_up_is_waited_for_then_left_alone() -> None:
    fleet = of(engine("a", state="degraded"), engine("b", "a"))
    found = fleet.roll(("b",))
    assert (found.done, found.failed, found.why) == ((), "b", "a is degraded") and fleet.down == []
    fleet.slow = {"a": 5}
    assert fleet.roll(("b",)).done == ("b",), "it came back in time"


def test_one_that_is_unwell_itself_may_be_restarted() -> None:
    fleet = of(engine("a", state="degraded"))
    assert fleet.roll(("a",)).failed == "" and blocker(tuple(fleet.engines.values()), "a") == ""


def test_an_error_ends_it() -> None:
    fleet = of(*LINE)

    def late(_name: str) -> FleetStatus:
        raise TimedOut("a was not ready again within 1 s.")

    found = roll(("a", "b"), fleet.look, late, 1.0)
    assert (found.failed, found.left, found.why) == ("a", ("b",), "a was not ready again within 1 s.")


@given(st.data())
def test_never_two_of_a_chain_down(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    names = [f"e{n}" for n in range(count)]
    below = [data.draw(st.sets(st.sampled_from(names[:n]))) if n else set() for n in range(count)]
    engines = [engine(name, *sorted(needs)) for name, needs in zip(names, below, strict=True)]
    fleet = of(*data.draw(st.permutations(engines)))
    fleet.sick = data.draw(st.sets(st.sampled_from(names)))
    order = plan(tuple(fleet.engines.values()), ())
    found = fleet.roll(order)  # `restart` asserts it
    assert all(order.index(need) < order.index(e.name) for e in engines for need in e.after)
    healthy = [name for name in order if name not in fleet.sick]
    assert found.done == order[: len(found.done)] and set(found.done) <= set(healthy)
    assert bool(found.failed) == (len(found.done) < len(order))
