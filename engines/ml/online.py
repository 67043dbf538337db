"""An online model of the next minute's return: AR(1) in units of exponentially weighted volatility.

y_t = r_t / sigma_(t-1) is regressed on (1, y_(t-1)) by recursive least squares with forgetting (Haykin, "Adaptive
Filter Theory", chapter 10); sigma^2 is exponentially weighted.  The forecast is theta . (1, y_t) sigma_t.  A return
over a gap is no return of one bar: nothing is learnt across it.
"""

import math

import msgspec

from engines.ml.config import CONFIG, Online


class Score(msgspec.Struct, array_like=True):
    """One-step forecasts against outcomes, in units of volatility; `naive` forecasts zero."""

    forecasts: int = 0
    error: float = 0.0  # sum of squares
    naive: float = 0.0
    hits: int = 0  # forecasts with the right sign
    moves: int = 0  # outcomes that are not zero


class Learner(msgspec.Struct):
    """One symbol's model.  Prices are integers of 1/10,000."""

    close: int = 0
    end_ns: int = 0
    variance: float | None = None
    last: float | None = None  # y of the last bar
    theta: tuple[float, float] = (0.0, 0.0)
    covariance: tuple[float, float, float] = (CONFIG.online.start, 0.0, CONFIG.online.start)  # p11, p12, p22
    observations: int = 0
    score: Score = msgspec.field(default_factory=Score)

    def take(self, close: int, end_ns: int, config: Online = CONFIG.online) -> float | None:
        """Learn a bar's close; the forecast of the next bar's log return, None before there is enough."""
        before, gap = self.close, end_ns - self.end_ns
        self.close, self.end_ns = close, end_ns
        if before <= 0 or gap != config.bar_ns:
            self.last = None
            return None
        move = math.log(close / before)
        scaled = move / math.sqrt(self.variance) if self.variance else None
        if scaled is not None and self.last is not None:
            self._learn(self.last, scaled, config)
        fresh = move * move
        self.variance = fresh if self.variance is None else config.decay * self.variance + (1 - config.decay) * fresh
        self.last = scaled
        if scaled is None or self.observations < config.least:
            return None
        return (self.theta[0] + self.theta[1] * scaled) * math.sqrt(self.variance)

    def _learn(self, x: float, y: float, config: Online) -> None:
        """One step of recursive least squares for the regressor (1, x) and the outcome y."""
        a, b = self.theta
        p11, p12, p22 = self.covariance
        forecast = a + b * x
        if self.observations >= config.least:
            self._judge(forecast, y)
        u, v = p11 + p12 * x, p12 + p22 * x
        weight = config.forgetting + u + v * x
        error = y - forecast
        self.theta = (a + u / weight * error, b + v / weight * error)
        kept = 1 / config.forgetting
        self.covariance = ((p11 - u * u / weight) * kept, (p12 - u * v / weight) * kept, (p22 - v * v / weight) * kept)
        self.observations += 1

    def _judge(self, forecast: float, y: float) -> None:
        score = self.score
        score.forecasts += 1
        score.error += (y - forecast) ** 2
        score.naive += y * y
        score.moves += y != 0
        score.hits += forecast * y > 0
