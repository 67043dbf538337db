"""The critical chain of a boot."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from engines.fleet.boot import Step, critical_chain


def step(name: str, released: float, ready: float | None, *after: str, budget: float | None = None) -> Step:
    return Step(name=name, launched_s=0.0, released_s=released, ready_s=ready, budget_s=budget, after=after)


BOOT = (
    step("bus", 0.0, 0.1),
    step("zygote", 0.0, 0.7),
    step("feed", 0.7, 0.9, "bus", "zygote"),
    step("ml", 0.7, 1.6, "bus", "zygote"),
    step("risk", 0.9, 1.2, "bus", "feed", "zygote"),
    step("plan", 1.2, 1.7, "risk", "feed"),
    step("late", 1.2, None, "risk"),
)


def test_the_chain_is_what_released_each_next_one() -> None:
    assert [s.name for s in critical_chain(BOOT)] == ["zygote", "feed", "risk", "plan"]
    assert [s.own_s for s in critical_chain(BOOT)] == [0.7, 0.2, 0.3, 0.5]


def test_what_an_engine_starts_after_may_be_given() -> None:
    assert [s.name for s in critical_chain(BOOT, {"plan": ["ml"], "ml": ["bus"]})] == ["bus", "ml", "plan"]


def test_nothing_ready_has_no_chain() -> None:
    assert critical_chain(()) == () and critical_chain((step("late", 0.0, None),)) == ()


def test_a_step_is_late_beyond_its_budget_only() -> None:
    assert step("a", 1.0, 3.1, budget=2.0).late
    assert not step("a", 1.0, 3.0, budget=2.0).late
    assert not step("a", 1.0, None, budget=2.0).late and not step("a", 1.0, 99.0).late


def test_a_restarted_dependency_makes_no_loop() -> None:
    assert [s.name for s in critical_chain((step("a", 0, 9, "b"), step("b", 0, 5, "a")))] == ["b", "a"]


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=1, max_size=12), st.data())
def test_any_boot_ends_with_its_last_and_names_each_once(times: list[tuple[float, float]], data: st.DataObject) -> None:
    names = [f"e{n}" for n in range(len(times))]
    steps = [
        step(name, low, low + more, *data.draw(st.lists(st.sampled_from(names), max_size=3)))
        for name, (low, more) in zip(names, times, strict=True)
    ]
    chain = critical_chain(steps)
    assert chain[-1].ready_s == max(s.ready_s or 0 for s in steps)
    assert len({s.name for s in chain}) == len(chain)
    for before, after in itertools.pairwise(chain):
        assert before.name in after.after
