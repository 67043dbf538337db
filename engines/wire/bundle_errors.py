"""What a request for stored prices can be refused for."""

import datetime as dt
from collections.abc import Sequence

from engines.wire.bundle_files import SeriesInfo
from engines.wire.errors import DataError, UnknownName


class UnknownSymbol(UnknownName):
    """The bundle holds no such symbol, or not of that kind."""

    def __init__(self, symbol: str, known: Sequence[str], kind: str = "symbol in the bundle") -> None:
        super().__init__(kind, symbol, known)
        self.symbol = symbol


class MissingBarError(DataError):
    """The symbol is in the bundle, the day is not: a holiday, a weekend, or outside the symbol's dates."""

    def __init__(self, symbol: str, day: dt.date, info: SeriesInfo) -> None:
        inside = info.first <= day <= info.last
        why = "It was no trading day." if inside else f"Its bars run from {info.first} to {info.last}."
        super().__init__(f"{symbol} has no bar on {day}.", why, "Choose a trading day inside those dates.")
        self.symbol = symbol
        self.day = day


class AmbiguousSeries(DataError):
    """No single series of the symbol covers the range, and those that share it are adjusted differently."""

    def __init__(self, symbol: str, start: dt.date, end: dt.date, found: Sequence[SeriesInfo]) -> None:
        held = "; ".join(f"{one.source}: {one.first} to {one.last}, {one.adjusted}" for one in found)
        super().__init__(
            f"{symbol} has no one series from {start} to {end}.",
            f"It has {held}. They are not spliced.",
            "Ask for a range inside one of them, or name its source.",
        )
        self.symbol = symbol


class NegativePrice(DataError):
    """An import holds a price that is zero or negative: legal, but no return or volatility can be made of it."""

    def __init__(self, symbol: str, day: dt.date, price: float) -> None:
        super().__init__(
            f"{symbol} cannot be computed with.",
            f"Its price is {price:g} on {day}: returns and volatilities of it mean nothing.",
            "Choose a range without that day, or work with price differences.",
        )
