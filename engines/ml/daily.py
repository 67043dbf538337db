"""The models of the next day's return, as they are served."""

import datetime as dt
import math
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec

from engines.ml import dataset, ridge, shelf
from engines.ml.card import Card, judge
from engines.ml.config import CONFIG
from engines.ml.ridge import Ridge
from engines.wire.errors import DataError, UnknownName

Name = Literal["ridge", "lightgbm"]


class Forecast(msgspec.Struct, frozen=True):
    """A forecast made at the close of `date` for the trading day after."""

    model: str
    symbol: str
    date: dt.date
    forecast: float  # log return
    realised: float | None  # log return; None where the next day is not stored
    out_of_sample: bool
    seen: bool  # whether the model was trained on this symbol


@lru_cache(maxsize=1)
def trained_ridge() -> tuple[Ridge, Card]:
    """The ridge model and its card: some tens of milliseconds, once a process."""
    learnt, judged = dataset.split()
    model = ridge.train(learnt)
    return model, judge("ridge", {"penalty": model.penalty}, model.predict(judged.x), learnt, judged)


@lru_cache(maxsize=1)
def digest() -> str:
    """Of what the models are trained on."""
    return dataset.digest()


class Models:
    """Both models; the boosted trees are read once they have been trained, and again when their file has changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._artefact: shelf.Artefact | None = None
        self._mark: tuple[int, ...] = ()

    def artefact(self) -> shelf.Artefact | None:
        """The boosted trees; None before they have been trained.

        Raises:
            DataError: their file is damaged.
        """
        mark = shelf.mark(self.folder, digest())
        if mark != self._mark:
            self._artefact = shelf.load(self.folder, digest())
            self._mark = mark
        return self._artefact

    def cards(self) -> list[Card]:
        """The card of every model that is there; of a damaged one health speaks."""
        try:
            artefact = self.artefact()
        except DataError:
            artefact = None
        return [trained_ridge()[1]] + ([artefact.card] if artefact is not None else [])

    def predict(self, model: Name, symbol: str, day: dt.date | None) -> Forecast:
        """The forecast made at the close of `day` (None: the last one stored).

        Raises:
            UnknownName: no such model.
            bundle.UnknownSymbol: no such symbol.
            DataError: no features on that day, or the model is not trained yet or damaged.
        """
        samples = dataset.samples_of(symbol)
        row = samples.day.size - 1 if day is None else dataset.row_of(samples, day)
        if row is None or row < 0:
            raise DataError(
                f"{symbol} has no features on {day or 'any day'}.",
                f"They need {dataset.LONG + 1} trading days of history.",
                "Choose a later trading day.",
            )
        volatility, target = float(samples.volatility[row]), float(samples.y[row])
        date: dt.date = samples.day[row].item()
        return Forecast(
            model=model,
            symbol=symbol,
            date=date,
            forecast=volatility * self._forecaster(model)(samples.x[row].tolist()),
            realised=target * volatility if math.isfinite(target) else None,
            out_of_sample=date > CONFIG.daily.train_end,
            seen=symbol in CONFIG.daily.symbols,
        )

    def _forecaster(self, model: Name) -> Callable[[list[float]], float]:
        if model == "ridge":
            return _ridge_of
        if model != "lightgbm":
            raise UnknownName("model", model, ("ridge", "lightgbm"))
        artefact = self.artefact()
        if artefact is None:
            raise DataError("lightgbm is not trained yet.", "Training runs after the first start.", "Ask again soon.")
        return artefact.forest.predict


def _ridge_of(x: list[float]) -> float:
    model = trained_ridge()[0]
    terms = zip(x, model.centre.tolist(), model.scale.tolist(), model.beta.tolist(), strict=True)
    return model.intercept + sum((value - centre) / scale * beta for value, centre, scale, beta in terms)
