"""The daily models: what they may know, closed forms, the card's statistics, and the served trees against LightGBM."""

import datetime as dt
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from engines.ml import dataset, ridge
from engines.ml.card import interval, ranks, spearman, verdict
from engines.ml.config import CONFIG, Daily
from engines.ml.daily import Models, digest, trained_ridge
from engines.ml.forest import Forest, Tree, grown
from engines.ml.shelf import Artefact, load, path_of, save
from engines.wire import bundle
from engines.wire.errors import DataError, UnknownName, UsageError


def test_a_sample_by_hand() -> None:
    day = dt.date(2010, 5, 6)
    samples = dataset.samples_of("IBM")
    row = dataset.row_of(samples, day)
    bars = bundle.bars("IBM").before(day + dt.timedelta(days=1), 61)
    returns = np.diff(np.log(bars.adj_close))
    sigma = returns[-20:].std(ddof=1)
    log_volume = np.log(bars.volume[-20:])
    expected = [
        returns[-1] / sigma,
        returns[-5:].mean() * math.sqrt(5) / sigma,
        returns[-20:].mean() * math.sqrt(20) / sigma,
        math.log(bars.high[-1] / bars.low[-1]) / sigma,
        (log_volume[-1] - log_volume.mean()) / log_volume.std(ddof=1),
        math.log(sigma / returns[-60:].std(ddof=1)),
    ]
    assert samples.x[row] == pytest.approx(expected)
    after = bundle.bars("IBM", dt.date(2010, 5, 6), dt.date(2010, 5, 7)).adj_close
    assert samples.y[row] == pytest.approx(math.log(after[1] / after[0]) / sigma)
    assert samples.next_day[row] == np.datetime64("2010-05-07")


def test_features_know_nothing_of_the_future(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = dataset.samples_of("MSFT")
    cut = bundle.bars("MSFT", None, dt.date(2008, 10, 10))
    monkeypatch.setattr(dataset.bundle, "bars", lambda _: cut)
    part = dataset.samples_of.__wrapped__("MSFT")
    assert np.array_equal(part.x, whole.x[: part.day.size])
    assert np.isnan(part.y[-1])


def test_training_and_judging_do_not_overlap() -> None:
    learnt, judged = dataset.split()
    days = np.unique(dataset.pooled(CONFIG.daily.symbols).day)
    gap = days.searchsorted(judged.day[0]) - days.searchsorted(learnt.next_day.max())
    assert gap > CONFIG.daily.embargo
    assert learnt.next_day.max() <= np.datetime64(CONFIG.daily.train_end)
    folds = list(ridge.walk_forward(learnt, 5, 5))
    assert len(folds) == 5
    for known, new in folds:
        first = days.searchsorted(learnt.day[new].min())
        assert first - days.searchsorted(learnt.next_day[known].max()) > 5
    assert not any((a[1] & b[1]).any() for a, b in pairwise(folds))


def test_ridge_is_the_augmented_least_squares() -> None:
    """Penalty p on standardised features is least squares with sqrt(n p) I below Z and zeros below y."""
    rng = np.random.default_rng(5)
    x, y = rng.normal(3, 2, (200, 4)), rng.normal(1, 1, 200)
    x[:, 0] += y
    model = ridge.fit(x, y, 0.3)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    left = np.vstack([z, math.sqrt(200 * 0.3) * np.eye(4)])
    beta = np.linalg.lstsq(left, np.append(y - y.mean(), np.zeros(4)), rcond=None)[0]
    assert model.beta == pytest.approx(beta, abs=1e-12)
    assert model.predict(x) == pytest.approx(y.mean() + z @ beta, abs=1e-12)


def test_the_penalty_is_small_where_there_is_a_signal_and_large_where_there_is_none() -> None:
    learnt, _ = dataset.split()
    rng = np.random.default_rng(1)
    for strength, smallest in ((0.5, True), (0.0, False)):
        y = learnt.x[:, 0] * strength + rng.normal(size=learnt.y.size)
        penalty = ridge.choose(dataset.Samples(learnt.day, learnt.next_day, learnt.x, y, learnt.volatility))
        assert (penalty < 0.1) == smallest


def test_rank_statistics() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 20, 300).astype(float), rng.integers(0, 20, 300).astype(float)
    assert ranks(a) == pytest.approx(stats.rankdata(a))
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
    day = np.repeat(np.arange(100.0), 3)
    low, high = interval(a, a + rng.normal(0, 1, 300), day, Daily(block=1))
    assert 0.8 < low < spearman(a, a) <= 1.0
    assert low < high
    assert interval(a, b, day) == interval(a, b, day)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """100 samples of independent pairs: 95 are expected to hold zero; 85 allows 3 sigma and the bootstrap's bias."""
    rng = np.random.default_rng(9)
    day = np.arange(400.0)
    held = sum(low <= 0 <= high for low, high in (interval(*rng.normal(size=(2, 400)), day) for _ in range(100)))
    assert held >= 85


def test_verdict_names_every_shortfall() -> None:
    assert verdict(0.01, 0.53, 0.51, 0.99) == "better than the baselines out of sample"
    assert verdict(-0.01, 0.53, 0.51, 0.99).startswith("not shown to be of use: the interval")
    assert verdict(-0.01, 0.5, 0.51, 1.01).count(";") == 2


def test_served_trees_are_lightgbms() -> None:
    import lightgbm

    learnt, judged = dataset.split()
    settings = {"objective": "regression", "num_leaves": 6, "num_threads": 1, "verbosity": -1, "use_missing": False}
    booster = lightgbm.train(settings, lightgbm.Dataset(learnt.x, learnt.y), 12)
    forest = grown(booster.dump_model())
    ours = [forest.predict(row) for row in judged.x[:300].tolist()]
    assert ours == pytest.approx(booster.predict(judged.x[:300]), abs=1e-12)
    assert len(set(ours)) > 20


def test_a_tree_that_never_split_is_its_leaf() -> None:
    assert Forest((Tree((), (), (), (), (0.25,)), Tree((1,), (2.0,), (-1,), (-2,), (1.0, 3.0)))).predict([9, 2]) == 1.25


def test_served_ridge_is_the_fitted_one(tmp_path: object) -> None:
    models = Models(tmp_path)  # type: ignore[arg-type]
    samples = dataset.samples_of("AAPL")
    row = dataset.row_of(samples, dt.date(2010, 5, 6))
    found = models.predict("ridge", "AAPL", dt.date(2010, 5, 6))
    assert found.forecast == pytest.approx(float(trained_ridge()[0].predict(samples.x[row]) * samples.volatility[row]))
    closes = bundle.bars("AAPL", dt.date(2010, 5, 6), dt.date(2010, 5, 7)).adj_close
    assert found.realised == pytest.approx(math.log(closes[1] / closes[0]))
    assert (found.out_of_sample, found.seen) == (True, True)
    assert models.predict("ridge", "GOOG", None).realised is None
    assert not models.predict("ridge", "GOOG", dt.date(2009, 5, 6)).seen
    with pytest.raises(DataError, match="not trained yet"):
        models.predict("lightgbm", "AAPL", None)
    with pytest.raises(DataError, match="no features"):
        models.predict("ridge", "AAPL", dt.date(2010, 5, 8))
    with pytest.raises(UsageError, match="Did you mean 'AAPL'"):
        models.predict("ridge", "AAPLE", None)
    with pytest.raises(UnknownName):
        models.predict("rigde", "AAPL", None)  # type: ignore[arg-type]


def test_the_shelf_gives_back_what_was_put_there_and_nothing_else(tmp_path: object) -> None:
    folder = tmp_path / "models"  # type: ignore[operator]
    artefact = Artefact(digest(), trained_ridge()[1], Forest((Tree((), (), (), (), (0.25,)),)))
    assert load(folder, digest()) is None
    path = save(folder, artefact)
    assert load(folder, digest()) == artefact
    assert load(folder, "0" * 64) is None
    path.write_bytes(path.read_bytes().replace(b"0.25", b"0.26"))
    with pytest.raises(DataError, match="its sha256 is not the one that was written"):
        load(folder, digest())
    assert path == path_of(folder, digest())


def test_trees_whose_file_is_damaged_are_refused_until_it_is_whole_again(tmp_path: Path) -> None:
    path = save(tmp_path, Artefact(digest(), trained_ridge()[1], Forest((Tree((), (), (), (), (0.25,)),))))
    models, whole = Models(tmp_path), path.read_bytes()
    assert models.artefact() is not None
    path.write_bytes(whole.replace(b"0.25", b"0.26"))
    for _ in range(2):
        with pytest.raises(DataError, match=f"{path.name} is refused"):
            models.predict("lightgbm", "AAPL", None)
    assert [card.model for card in models.cards()] == ["ridge"]
    assert models.predict("ridge", "AAPL", None).symbol == "AAPL"
    path.write_bytes(whole)
    assert models.artefact() is not None and len(models.cards()) == 2


def test_the_card_is_honest_and_the_same_each_time() -> None:
    card = trained_ridge()[1]
    assert trained_ridge.__wrapped__()[1] == card
    learnt, judged = dataset.split()
    assert (card.train_rows, card.test_rows) == (learnt.y.size, judged.y.size)
    forecast = trained_ridge()[0].predict(judged.x)
    assert card.ic == pytest.approx(stats.spearmanr(forecast, judged.y).statistic)
    assert card.baseline_hit_rate == pytest.approx(np.mean(judged.y > 0))
    assert card.verdict == verdict(card.ic_low, card.hit_rate, card.baseline_hit_rate, card.mse_ratio)
