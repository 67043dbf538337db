"""Every Alpha158 family and many of the 101 alphas against pandas, written from the published definitions.

Panel: 64 synthetic stocks over 330 days.  Tolerance 1e-9 relative; convention: full windows (min_periods = window).
"""

import functools

import numpy as np
import pandas as pd
import pytest

from engines.factor.evaluate import Panel, evaluate
from engines.factor.grammar import parse
from engines.factor.registry import blocks, factor, factors

Frame = pd.DataFrame
DAYS, STOCKS = 330, 64


@functools.cache
def frames() -> dict[str, Frame]:
    rng = np.random.default_rng(11)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, (DAYS, STOCKS)), axis=0))
    open_ = close * np.exp(rng.normal(0, 0.01, close.shape))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.008, close.shape)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.008, close.shape)))
    volume = np.round(np.exp(rng.normal(13, 0.5, close.shape)))
    close[40:44, 3] = close[39, 3]  # a price that stands still
    return {
        name: Frame(values)
        for name, values in {"open": open_, "high": high, "low": low, "close": close, "volume": volume}.items()
    }


@functools.cache
def panel() -> Panel:
    return Panel(**{name: frame.to_numpy(copy=True) for name, frame in frames().items()})


def check(name: str, expected: Frame) -> None:
    values = evaluate(factor(name).node, panel())
    wanted = expected.replace([np.inf, -np.inf], np.nan).to_numpy(float)
    assert np.isfinite(wanted).sum() > STOCKS * 20, "the oracle says too little"
    np.testing.assert_allclose(values, wanted, rtol=1e-9, atol=1e-9, err_msg=name)


def alpha158(n: int) -> dict[str, Frame]:
    f = frames()
    h, l, c, v = (f[name] for name in ("high", "low", "close", "volume"))  # noqa: E741
    r = lambda x: x.rolling(n)  # noqa: E731
    up, down, move = c.diff().clip(lower=0), (-c.diff()).clip(lower=0), c.diff().abs()
    v_up, v_down, v_move = v.diff().clip(lower=0), (-v.diff()).clip(lower=0), v.diff().abs()
    x = np.arange(1, n + 1)
    fit = lambda y: np.polyfit(x, y, 1)  # noqa: E731
    rises, falls = (c > c.shift()).where(c.shift().notna()), (c < c.shift()).where(c.shift().notna())
    weighted = (c / c.shift() - 1).abs() * v
    argmax = lambda s: r(s).apply(lambda w: w.argmax() + 1, raw=True)  # noqa: E731
    argmin = lambda s: r(s).apply(lambda w: w.argmin() + 1, raw=True)  # noqa: E731
    return {
        "ROC": c.shift(n) / c,
        "MA": r(c).mean() / c,
        "STD": r(c).std() / c,
        "BETA": r(c).apply(lambda w: fit(w)[0], raw=True) / c,
        "RSQR": r(c).apply(lambda w: np.corrcoef(x, w)[0, 1] ** 2, raw=True),
        "RESI": r(c).apply(lambda w: w[-1] - np.polyval(fit(w), n), raw=True) / c,
        "MAX": r(h).max() / c,
        "MIN": r(l).min() / c,
        "QTLU": r(c).quantile(0.8) / c,
        "QTLD": r(c).quantile(0.2) / c,
        "RANK": r(c).rank(pct=True),
        "RSV": (c - r(l).min()) / (r(h).max() - r(l).min() + 1e-12),
        "IMAX": argmax(h) / n,
        "IMIN": argmin(l) / n,
        "IMXD": (argmax(h) - argmin(l)) / n,
        "CORR": r(c).corr(np.log(v + 1)),
        "CORD": (c / c.shift()).rolling(n).corr(np.log(v / v.shift() + 1)),
        "CNTP": r(rises.astype(float)).mean(),
        "CNTN": r(falls.astype(float)).mean(),
        "CNTD": r(rises.astype(float)).mean() - r(falls.astype(float)).mean(),
        "SUMP": r(up).sum() / (r(move).sum() + 1e-12),
        "SUMN": r(down).sum() / (r(move).sum() + 1e-12),
        "SUMD": (r(up).sum() - r(down).sum()) / (r(move).sum() + 1e-12),
        "VMA": r(v).mean() / (v + 1e-12),
        "VSTD": r(v).std() / (v + 1e-12),
        "WVMA": r(weighted).std() / (r(weighted).mean() + 1e-12),
        "VSUMP": r(v_up).sum() / (r(v_move).sum() + 1e-12),
        "VSUMN": r(v_down).sum() / (r(v_move).sum() + 1e-12),
        "VSUMD": (r(v_up).sum() - r(v_down).sum()) / (r(v_move).sum() + 1e-12),
    }


@pytest.mark.parametrize("window", [10])
def test_every_windowed_family_of_alpha158(window: int) -> None:
    expected = alpha158(window)
    assert set(expected) == set(blocks()[0].windowed)
    for name, frame in expected.items():
        check(f"{name}{window}", frame)


def test_k_bar_and_price_factors() -> None:
    f = frames()
    o, h, l, c = (f[name] for name in ("open", "high", "low", "close"))  # noqa: E741
    top, bottom, span = np.maximum(o, c), np.minimum(o, c), h - l + 1e-12
    expected = {
        "KMID": (c - o) / o,
        "KLEN": (h - l) / o,
        "KMID2": (c - o) / span,
        "KUP": (h - top) / o,
        "KUP2": (h - top) / span,
        "KLOW": (bottom - l) / o,
        "KLOW2": (bottom - l) / span,
        "KSFT": (2 * c - h - l) / o,
        "KSFT2": (2 * c - h - l) / span,
        "OPEN0": o / c,
        "HIGH0": h / c,
        "LOW0": l / c,
    }
    assert set(expected) == set(blocks()[0].fixed)
    for name, frame in expected.items():
        check(name, frame)


def alpha101() -> dict[str, Frame]:
    f = frames()
    o, h, l, c, v = (f[name] for name in ("open", "high", "low", "close", "volume"))  # noqa: E741
    ret = c / c.shift() - 1
    adv = lambda n: v.rolling(n).mean()  # noqa: E731
    rank = lambda x: x.rank(axis=1, pct=True)  # noqa: E731
    tsr = lambda x, n: x.rolling(n).rank(pct=True)  # noqa: E731
    corr = lambda x, y, n: x.rolling(n).corr(y)  # noqa: E731
    scale = lambda x: x.div(x.abs().sum(axis=1), axis=0)  # noqa: E731
    decay = lambda x, n: x.rolling(n).apply(lambda w: w @ np.arange(1, n + 1) / (n * (n + 1) / 2), raw=True)  # noqa: E731
    argmax = lambda x, n: x.rolling(n).apply(lambda w: w.argmax() + 1, raw=True)  # noqa: E731
    step = ((c.shift(20) - c.shift(10)) / 10) - ((c.shift(10) - c) / 10)
    base = ret.rolling(20).std().where(ret < 0, c).where(ret.notna())
    trend = c.diff().rolling(5)
    slow = c.rolling(100).mean().diff(100) / c.shift(100)
    middle, band = c.rolling(8).mean(), c.rolling(8).std()
    near = c.rolling(2).mean()
    lively = (v / adv(20) >= 1) * 2.0 - 1
    return {
        "alpha001": rank(argmax(np.sign(base) * base.abs() ** 2, 5)) - 0.5,
        "alpha002": -corr(rank(np.log(v).diff(2)), rank((c - o) / o), 6),
        "alpha004": -tsr(rank(l), 9),
        "alpha007": (-tsr(c.diff(7).abs(), 60) * np.sign(c.diff(7)))
        .where(adv(20) < v, -1.0)
        .where(adv(20).notna() & ((adv(20) >= v) | c.diff(7).rolling(60).sum().notna())),
        "alpha009": c.diff().where((trend.min() > 0) | (trend.max() < 0), -c.diff()).where(trend.min().notna()),
        "alpha017": -rank(tsr(c, 10)) * rank(c.diff().diff()) * rank(tsr(v / adv(20), 5)),
        "alpha019": -np.sign(c - c.shift(7) + c.diff(7)) * (1 + rank(1 + ret.rolling(250).sum())),
        "alpha021": Frame(
            np.where(middle + band < near, -1.0, np.where(near < middle - band, 1.0, lively)), c.index, c.columns
        ).where(adv(20).notna() | (middle + band < near) | (near < middle - band)),
        "alpha024": (-(c - c.rolling(100).min())).where(slow <= 0.05, -c.diff(3)).where(slow.notna()),
        "alpha028": scale(corr(adv(20), l, 5) + (h + l) / 2 - c),
        "alpha035": tsr(v, 32) * (1 - tsr(c + h - l, 16)) * (1 - tsr(ret, 32)),
        "alpha039": -rank(c.diff(7) * (1 - rank(decay(v / adv(20), 9)))) * (1 + rank(ret.rolling(250).sum())),
        "alpha046": Frame(np.where(step > 0.25, -1.0, np.where(step < 0, 1.0, -c.diff())), c.index, c.columns).where(
            step.notna()
        ),
        "alpha053": -((c - l - (h - c)) / (c - l)).diff(9),
        "alpha054": -((l - c) * o**5) / ((l - h) * c**5),
        "alpha060": -(2 * scale(rank((c - l - (h - c)) / (h - l) * v)) - scale(rank(argmax(c, 10)))),
        "alpha101": (c - o) / (h - l + 0.001),
    }


@pytest.mark.parametrize("name", sorted(alpha101()))
def test_formulaic_alphas(name: str) -> None:
    check(name, alpha101()[name])


def test_covariance_of_ranks() -> None:
    """The inside of alpha013 and alpha016, whose outer rank hangs on the rounding of equal covariances."""
    f = frames()
    ranks = {name: f[name].rank(axis=1, pct=True) for name in ("close", "volume")}
    expected = ranks["close"].rolling(5).cov(ranks["volume"])
    values = evaluate(parse("cov(rank(close), rank(volume), 5)"), panel())
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12)


def test_the_registry_holds_what_its_sources_define_and_says_what_it_leaves_out() -> None:
    first, second = blocks()
    assert len(first.definitions()) + len(first.left_out) == 158
    numbers = {int(name.removeprefix("alpha")) for name in second.definitions()}
    left = {int(part.removeprefix("alpha")) for group in second.left_out for part in group.split(", ")}
    assert numbers | left == set(range(1, 102))
    assert not numbers & left
    assert len(factors()) == len(first.definitions()) + len(numbers)
    assert len({item.expression for item in factors().values()}) == len(factors())  # no padding by repetition


def test_a_constant_has_no_correlation_and_no_fit() -> None:
    values = evaluate(factor("RSQR5").node, panel())
    assert np.isnan(values[43, 3])  # five equal closes
    assert np.isfinite(values[44, 3])
