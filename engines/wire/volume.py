"""How much of a symbol an average day trades: what volume bars and VPIN buckets are fractions of."""

import datetime as dt

from engines.wire import bundle

DAYS = 20
# Where the bundle has no bars: mean of the June 2010 E-mini over 3-5 May 2010 (Kirilenko, Kyle, Samadi and Tuzun).
STATED = {"ESX": 2_397_639}


def average_volume(symbol: str, day: dt.date, days: int = DAYS) -> int | None:
    """Mean shares or contracts a day over the `days` trading days before `day`.

    None for the index, which is not traded, and for a symbol of which neither bars nor a stated volume are known.
    """
    if symbol == bundle.INDEX:
        return None
    if symbol in STATED:
        return STATED[symbol]
    try:
        volumes = bundle.before(symbol, day, days).as_traded().volume
    except bundle.UnknownSymbol:
        return None
    return int(volumes.sum()) // volumes.size if volumes.size else None
