"""The volatility regime of a day: the index's realised volatility over a month, and the VIX where it is held.

Realised volatility is the sample deviation of 21 daily log returns of the close, the day's own the last, times the
square root of 252: the convention of volatility quotes.
"""

import datetime as dt

import msgspec
import numpy as np

from engines.wire import bundle
from engines.wire.bundle_errors import UnknownSymbol

DAYS, YEAR = 21, 252


class Regime(msgspec.Struct, frozen=True, kw_only=True):
    """Volatilities are shares of a year: 0.4 is 40 %.  None: not held.  `vix` is the index's close, in points."""

    realised: float | None
    vix: float | None


def regime(index: str, day: dt.date) -> Regime:
    """Of one day.  Raises what `bundle.bars` raises for the index."""
    closes = bundle.bars(index, None, day).close[-DAYS - 1 :]
    enough = len(closes) == DAYS + 1
    realised = float(np.diff(np.log(closes)).std(ddof=1) * np.sqrt(YEAR)) if enough else None
    return Regime(realised=realised, vix=_vix(day))


def _vix(day: dt.date) -> float | None:
    """The bundle's years; FRED's, where the user imported a file of it (closes) or fetched it (a series)."""
    for read, name in ((bundle.closes, "VIX"), (bundle.closes, "VIXCLS"), (bundle.series, "VIXCLS")):
        try:
            found = read(name, day, day).value
        except UnknownSymbol:
            continue
        if len(found) and np.isfinite(found[0]):
            return float(found[0])
    return None
