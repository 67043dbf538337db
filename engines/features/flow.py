"""From quotes to features: order-flow imbalance, realised volatility, spread and mid, once per market second.

Order-flow imbalance follows Cont, Kukanov and Stoikov (2014), "The price impact of order book events", equation 10:
the n-th quote of a symbol contributes
    e_n = 1{B_n >= B_(n-1)} b_n - 1{B_n <= B_(n-1)} b_(n-1) - 1{A_n <= A_(n-1)} a_n + 1{A_n >= A_(n-1)} a_(n-1)
with best bid and ask B, A and their sizes b, a; a second's imbalance is the sum over its quotes.
A second closes when a quote at or after its end is seen, so the result does not depend on how the stream is cut.
"""

import math

import msgspec
import numpy as np
import numpy.typing as npt

from engines.features.config import CONFIG, NS, Config
from engines.wire.errors import MessageError
from engines.wire.messages import FeatureRow
from engines.wire.ticks import PRICE_SCALE, Rows

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def _ints() -> Ints:
    return np.zeros(0, np.int64)


def _floats() -> Floats:
    return np.zeros(0, np.float64)


class Flow(msgspec.Struct):
    """What is known of a replay's quotes.  Arrays are indexed by symbol; a bid of 0 means no quote yet."""

    replay: int = 0
    symbols: tuple[str, ...] = ()
    second: int = 0  # the open second, counted from the epoch; 0 before any quote
    last_ns: int = 0
    bid: Ints = msgspec.field(default_factory=_ints)
    ask: Ints = msgspec.field(default_factory=_ints)
    bid_size: Ints = msgspec.field(default_factory=_ints)
    ask_size: Ints = msgspec.field(default_factory=_ints)
    imbalance: Ints = msgspec.field(default_factory=_ints)  # of the open second
    mid2: Ints = msgspec.field(default_factory=_ints)  # bid + ask at the end of the last closed second
    squares: Floats = msgspec.field(default_factory=_floats)  # (returns, symbols): ring of squared log returns
    returns: Ints = msgspec.field(default_factory=_ints)  # how many returns each symbol has had
    closed: int = 0  # seconds closed; its remainder is the ring's place
    rows: tuple[FeatureRow, ...] = ()  # of the last closed second


def fresh(replay: int, symbols: tuple[str, ...], config: Config = CONFIG) -> Flow:
    """A replay's state before its first quote."""
    names = ("bid", "ask", "bid_size", "ask_size", "imbalance", "mid2", "returns")
    arrays = {name: np.zeros(len(symbols), np.int64) for name in names}
    return msgspec.structs.replace(
        Flow(replay=replay, symbols=symbols, squares=np.zeros((config.returns, len(symbols)))), **arrays
    )


def take_quotes(flow: Flow, rows: Rows, config: Config = CONFIG) -> list[FeatureRow]:
    """Take a batch of QUOTE rows, in time order; the features of every second that it closes.

    Raises:
        MessageError: rows out of order, of an unknown symbol, or after a gap of more than `longest_gap_s`.
    """
    if rows.size == 0:
        return []
    stamps, symbols = rows["ts"], rows["symbol"].astype(np.intp)
    check_order(stamps, symbols, len(flow.symbols), flow.last_ns, config)
    events = imbalances(flow, rows, symbols)
    flow.last_ns = int(stamps[-1])
    seconds = stamps // config.second_ns
    if flow.second == 0:
        flow.second = int(seconds[0])
    made: list[FeatureRow] = []
    start = 0
    for end in [*(np.flatnonzero(np.diff(seconds)) + 1).tolist(), rows.size]:
        second = int(seconds[start])
        while flow.second < second:
            made += _close(flow, config)
        part = slice(start, end)
        np.add.at(flow.imbalance, symbols[part], events[part])
        for field in ("bid", "ask", "bid_size", "ask_size"):
            getattr(flow, field)[symbols[part]] = rows[field][part]  # of several, the last one stays
        start = end
    return made


def check_order(stamps: Ints, symbols: npt.NDArray[np.intp], known: int, last_ns: int, config: Config) -> None:
    """Raises MessageError unless the rows are in time order after `last_ns` and their symbols are known."""
    if stamps[0] < last_ns or (stamps[1:] < stamps[:-1]).any():
        raise MessageError("A batch of ticks is out of time order.", f"Market time stood at {last_ns} ns.")
    if symbols.max() >= known:
        raise MessageError(f"A tick is of symbol {symbols.max()}.", f"The batch names {known} symbols.")
    span = int(stamps[-1]) - (last_ns or int(stamps[0]))
    if span > config.longest_gap_s * NS:
        raise MessageError(f"Market time jumps by {span / NS:.0f} s.", f"{config.longest_gap_s} s is the most.")


def imbalances(flow: Flow, rows: Rows, symbols: npt.NDArray[np.intp]) -> Ints:
    """e_n of each row, in shares; 0 for a symbol's first quote, which has no predecessor."""
    order = np.argsort(symbols, kind="stable")
    sorted_symbols = symbols[order]
    first = np.ones(order.size, np.bool_)
    first[1:] = sorted_symbols[1:] != sorted_symbols[:-1]
    heads = sorted_symbols[first]
    now: dict[str, Ints] = {}
    before: dict[str, Ints] = {}
    for field in ("bid", "ask", "bid_size", "ask_size"):
        now[field] = rows[field][order].astype(np.int64)
        before[field] = np.empty(order.size, np.int64)
        before[field][1:] = now[field][:-1]
        before[field][first] = getattr(flow, field)[heads]
    bid_up, bid_down = now["bid"] >= before["bid"], now["bid"] <= before["bid"]
    ask_up, ask_down = now["ask"] >= before["ask"], now["ask"] <= before["ask"]
    event = bid_up * now["bid_size"] - bid_down * before["bid_size"]
    event += ask_up * before["ask_size"] - ask_down * now["ask_size"]
    event[before["bid"] == 0] = 0
    result = np.empty(order.size, np.int64)
    result[order] = event
    return result


def _close(flow: Flow, config: Config) -> list[FeatureRow]:
    """Close the open second and open the next one."""
    mid2 = flow.bid + flow.ask
    place = flow.closed % config.returns
    moved = (flow.mid2 > 0) & (mid2 > 0)
    ratio = np.divide(mid2, flow.mid2, out=np.ones(mid2.size), where=moved)
    flow.squares[place] = np.log(ratio) ** 2
    flow.returns[moved] += 1
    total = flow.squares.sum(axis=0)
    end_ns = (flow.second + 1) * config.second_ns
    columns = zip(
        flow.symbols,
        flow.bid.tolist(),
        flow.ask.tolist(),
        flow.imbalance.tolist(),
        flow.returns.tolist(),
        total.tolist(),
        strict=True,
    )
    year = config.seconds_a_year / config.returns
    rows = [
        FeatureRow(
            symbol=symbol,
            ts_ns=end_ns,
            order_flow_imbalance=float(imbalance),
            realised_volatility=math.sqrt(squares * year) if returns >= config.returns else None,
            spread_bps=20_000 * (ask - bid) / (ask + bid),
            mid=(bid + ask) / (2 * PRICE_SCALE),
        )
        for symbol, bid, ask, imbalance, returns, squares in columns
        if bid > 0
    ]
    flow.mid2 = mid2
    flow.imbalance = np.zeros_like(flow.imbalance)
    flow.second += 1
    flow.closed += 1
    flow.rows = tuple(rows)
    return rows
