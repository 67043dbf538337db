"""The online model against weighted least squares, and its step over bars cut in any way."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.kit import codec
from engines.ml.config import CONFIG
from engines.ml.model import MODEL, State, live_cards, step
from engines.ml.online import Learner
from engines.wire.messages import BarRow, Bars, Envelope, Header, PredictionRow, Session

MINUTE = 60_000_000_000
ONLINE = CONFIG.online


def closes(n: int, seed: int = 1) -> list[int]:
    rng = np.random.default_rng(seed)
    return np.round(1e6 * np.exp(np.cumsum(rng.normal(0, 0.001, n)))).astype(int).tolist()


def by_least_squares(prices: list[int]) -> tuple[np.ndarray, float, float]:
    """theta minimising the forgotten squares plus the forgotten ridge; the last y; the last sigma."""
    returns = np.diff(np.log(prices))
    variance, scaled = returns[0] ** 2, []
    for move in returns[1:]:
        scaled.append(move / math.sqrt(variance))
        variance = ONLINE.decay * variance + (1 - ONLINE.decay) * move**2
    x = np.column_stack([np.ones(len(scaled) - 1), scaled[:-1]])
    weights = ONLINE.forgetting ** np.arange(len(x) - 1, -1, -1)
    gram = x.T @ (weights[:, None] * x) + ONLINE.forgetting ** len(x) / ONLINE.start * np.eye(2)
    return np.linalg.solve(gram, x.T @ (weights * np.array(scaled[1:]))), scaled[-1], math.sqrt(variance)


@settings(max_examples=20, deadline=None)
@given(st.integers(40, 200), st.integers(0, 1000))
def test_recursive_is_weighted_least_squares(n: int, seed: int) -> None:
    learner, prices, value = Learner(), closes(n, seed), None
    for minute, price in enumerate(prices):
        value = learner.take(price, minute * MINUTE)
    theta, last, sigma = by_least_squares(prices)
    assert learner.theta == pytest.approx(theta.tolist(), abs=1e-9)
    assert value == pytest.approx((theta[0] + theta[1] * last) * sigma, abs=1e-12)


def test_it_finds_an_autocorrelation_that_is_there() -> None:
    rng = np.random.default_rng(4)
    move, level, learner = 0.0, math.log(1e9), Learner()
    for minute in range(2_000):
        move = 0.5 * move + rng.normal(0, 0.001)
        level += move
        learner.take(round(math.exp(level)), minute * MINUTE)
    assert learner.theta[1] == pytest.approx(0.5, abs=0.15)
    assert learner.score.error / learner.score.naive < 0.85
    assert learner.score.hits / learner.score.moves > 0.6


def test_nothing_is_learnt_across_a_gap_nor_from_a_price_that_stands_still() -> None:
    learner = Learner()
    for minute, price in enumerate(closes(50)):
        learner.take(price, minute * MINUTE)
    before = learner.observations, learner.theta, learner.variance
    assert learner.take(2_000_000, 60 * MINUTE) is None
    assert (learner.observations, learner.theta, learner.variance) == before
    still = Learner()
    assert [still.take(100, minute * MINUTE) for minute in range(50)] == [None] * 50


def messages(replay: str = "r1", at_once: int = 1) -> list[Envelope]:
    rows = [
        BarRow(symbol, kind, 0, minute * MINUTE, price, price, price, price, 5, 2)  # type: ignore[arg-type]
        for minute, prices in enumerate(zip(closes(80, 1), closes(80, 2), strict=True))
        for symbol, price, kind in (("IBM", prices[0], "time"), ("MSFT", prices[1], "time"), ("IBM", 7, "volume"))
    ]
    header = Header("features", 1, 1, "", 1, f"{replay}/before", 0, 0, 0)
    size = 3 * at_once
    return [
        Envelope("bars", f"{start + 1}-0", header, Bars(tuple(rows[start : start + size])))
        for start in range(0, len(rows), size)
    ]


def run(state: State, envelopes: list[Envelope]) -> tuple[State, list[PredictionRow]]:
    made: list[PredictionRow] = []
    for envelope in envelopes:
        state, bodies = step(state, envelope)
        made += [row for body in bodies for row in body.rows]  # type: ignore[attr-defined]
    return state, made


def test_forecasts_do_not_depend_on_the_batches_nor_on_a_snapshot() -> None:
    state, whole = run(State(), messages())
    assert run(State(), messages(at_once=7))[1] == whole
    half, first = run(State(), messages()[:50])
    assert first + run(codec.decode(codec.encode(half), State), messages()[50:])[1] == whole
    assert {(row.model, row.horizon_s) for row in whole} == {(MODEL, 60.0)}
    observations = 80 - 3  # a close, a first return, a first scaled return
    assert state.learners["IBM"].observations == observations
    assert len(whole) == 2 * (observations - ONLINE.least + 1)
    card = live_cards(state)[0]
    assert card.judged == observations - ONLINE.least
    assert card.mse_ratio is not None


def test_replays() -> None:
    state, whole = run(State(), messages("r1"))
    state, again = run(state, messages("r2"))
    assert again == whole
    assert run(state, messages("r1"))[1] == []
    session = Session("open", "flash-crash-2010", "2010-05-06", ("SPX",), (), 1, "", 1.0)
    state, _ = step(state, Envelope("sessions", "1-0", Header("m", 1, 1, "", 1, "r3/before", 0, 0, 0), session))
    assert (state.session, state.learners) == ("flash-crash-2010 2010-05-06", {})
