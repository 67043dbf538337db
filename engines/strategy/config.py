"""Settings of the two strategies."""

import msgspec


class Momentum(msgspec.Struct, frozen=True):
    """Crossover of two simple moving averages of time bars' closes."""

    fast: int = 3  # bars
    slow: int = 10
    band: float = 3e-4  # |fast / slow - 1| below this changes nothing


class Reversion(msgspec.Struct, frozen=True):
    """Bollinger z-score of volume bars' closes; stays out of toxic order flow."""

    bars: int = 20
    enter: float = 2.0  # standard deviations
    leave: float = 0.5
    toxic: float = 1.25  # VPIN at or above this many times its mean of the session: no new position


class Config(msgspec.Struct, frozen=True):
    """Both strategies, and what the desk does for them.  Times are market seconds."""

    momentum: Momentum = Momentum()
    reversion: Reversion = Reversion()
    shares: int = 200  # a full position
    contracts: int = 2  # of instruments whose multiplier exceeds 1
    stale_s: float = 120.0  # a limit order older than this is withdrawn
    cool_s: float = 60.0  # after a refusal no order of that strategy and symbol leaves for so long
    flat_s: float = 22_500.0  # from here on, after the open, positions are only closed
    forecast_s: float = 300.0  # an older forecast is not asked
    recent: int = 50  # ended orders that are remembered


CONFIG = Config()
