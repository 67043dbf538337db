"""Rate curves: expected arrivals are the integral of the shape."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.load.errors import LoadError
from stress.load.schedule import even_arrivals
from stress.load.shapes import Curve, constant, ramp, spike, steps

rates = st.floats(0.0, 5000.0)
cells = st.integers(1, 200)
widths = st.sampled_from([0.05, 0.1, 0.5, 1.0])


def arrivals(curve: Curve, step_s: float) -> float:
    return sum(curve) * step_s


@given(rates, cells, widths)
def test_a_constant_rate_has_rate_times_seconds_arrivals(rate: float, count: int, step_s: float) -> None:
    curve = constant(rate, count * step_s, step_s)
    assert len(curve) == count
    assert arrivals(curve, step_s) == pytest.approx(rate * count * step_s)


@given(rates, rates, cells, widths)
def test_a_ramp_has_the_area_of_its_trapezium(start: float, end: float, count: int, step_s: float) -> None:
    curve = ramp(start, end, count * step_s, step_s)
    assert arrivals(curve, step_s) == pytest.approx((start + end) / 2 * count * step_s)
    rising = np.diff(curve) * (end - start)
    assert (rising >= -1e-6).all()
    assert min(start, end) - 1e-6 <= min(curve) and max(curve) <= max(start, end) + 1e-6


@given(rates, rates, cells, widths, st.floats(0.05, 0.95))
def test_every_part_of_a_ramp_has_its_own_area(
    start: float, end: float, count: int, step_s: float, part: float
) -> None:
    until = max(1, round(part * count))
    reached = start + (end - start) * until / count
    found = sum(ramp(start, end, count * step_s, step_s)[:until]) * step_s
    assert found == pytest.approx((start + reached) / 2 * until * step_s, abs=1e-6)


@given(st.lists(st.tuples(rates, cells), min_size=1, max_size=6), widths)
def test_steps_have_the_sum_of_their_areas(levels: list[tuple[float, int]], step_s: float) -> None:
    curve = steps([(rate, count * step_s) for rate, count in levels], step_s)
    assert len(curve) == sum(count for _, count in levels)
    assert arrivals(curve, step_s) == pytest.approx(sum(rate * count * step_s for rate, count in levels))


@given(rates, rates, cells, cells, cells, widths)
def test_a_spike_adds_its_own_area(base: float, peak: float, at: int, width: int, after: int, step_s: float) -> None:
    seconds = (at + width + after) * step_s
    curve = spike(base, peak, at * step_s, width * step_s, seconds, step_s)
    assert arrivals(curve, step_s) == pytest.approx(base * seconds + (peak - base) * width * step_s)
    assert curve[at : at + width] == (peak,) * width


def test_the_schedule_of_a_ramp_thickens_as_the_square_of_time() -> None:
    times = even_arrivals(np.array(ramp(0.0, 1000.0, 4.0)), 0.1)
    assert len(times) == 2000
    for share in (0.25, 0.5, 0.75):
        assert (times < 4.0 * share).sum() == pytest.approx(2000 * share**2, abs=2)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: constant(-1.0, 1.0),
        lambda: constant(float("nan"), 1.0),
        lambda: ramp(0.0, float("inf"), 1.0),
        lambda: constant(1.0, 0.0),
        lambda: constant(1.0, 1.05, 0.1),
        lambda: constant(1.0, 1.0, 0.0),
        lambda: steps([]),
        lambda: spike(1.0, 2.0, 0.5, 0.6, 1.0),
        lambda: spike(1.0, 2.0, 0.0, 0.5, 1.0),
    ],
)
def test_what_is_no_shape_is_refused(wrong: object) -> None:
    with pytest.raises(LoadError):
        wrong()  # type: ignore[operator]
