"""What risk answers over HTTP: pure functions of a request, the bundle and the live state.  Money in currency units."""

import datetime as dt

import msgspec

from engines.risk import breakers as breaking
from engines.risk.config import LIMITS, Limits
from engines.risk.model import State, decide
from engines.risk.var import Method, daily_returns, tail
from engines.wire.errors import DataError
from engines.wire.messages import Order
from engines.wire.rulebook import Trip, rules
from engines.wire.session import epoch_ns
from engines.wire.ticks import PRICE_SCALE, to_units


class VarReply(msgspec.Struct, frozen=True):
    """Losses as positive fractions of the holding, over one trading day."""

    symbol: str
    method: Method
    confidence: float
    window: int
    asof: dt.date | None
    var: float
    es: float


class BreakerReply(msgspec.Struct, frozen=True):
    """The market-wide rule of a day, judged. `level` 0: not breached; `halt` None: trading goes on."""

    asof: dt.date
    rule: str
    source: str
    confidence: str
    index: str
    proxy: bool
    prior_close: float
    thresholds: tuple[float, ...]
    level: int | None
    halt: Trip | None


class Holding(msgspec.Struct, frozen=True):
    """One symbol's use of its limits; `worst`: the largest holding that open orders could bring."""

    symbol: str
    quantity: int
    worst: int
    notional: float


class LimitsReply(msgspec.Struct, frozen=True):
    """The limits (money of 1/10,000) and what is used of them."""

    limits: Limits
    holdings: tuple[Holding, ...]
    gross: float
    open_orders: int
    pnl: float | None
    killed: bool
    margin_excess: float | None
    breached: tuple[str, ...]


class CheckReply(msgspec.Struct, frozen=True):
    """What the pre-trade check would say now."""

    accepted: bool
    code: str
    detail: str


class StressReply(msgspec.Struct, frozen=True):
    """What the live holdings would lose if every mark fell by `fall`, and whether that reaches the loss limit."""

    fall: float
    loss: float
    loss_limit: float
    kills: bool


def var(symbol: str, confidence: float, window: int, method: Method, asof: dt.date | None) -> VarReply:
    """VaR and expected shortfall; raises UnknownSymbol, DataError."""
    found = tail(daily_returns(symbol, window, asof), confidence, method)
    return VarReply(symbol, method, confidence, window, asof, found.var, found.es)


def breaker(
    asof: dt.date, level: float | None, prior_close: float | None, at: dt.time, index: str, close: dt.time
) -> BreakerReply:
    """The market-wide breaker of a day, whatever the day really was: an explicit what-if.

    Raises:
        DataError: there was no such rule, or the prior close is neither given nor in the bundle.
        UsageError: the rule cannot be judged on `index`.
    """
    rule = rules(asof).market_wide
    if rule is None:
        raise DataError(f"There was no market-wide breaker on {asof}.", "The first came into force on 1988-10-19.")
    prior = breaking.prior_close(asof) if prior_close is None else to_units(prior_close)
    at_most = rule.thresholds(prior, index)
    breached = None if level is None else rule.breached(to_units(level), prior, index)
    return BreakerReply(
        asof=asof,
        rule=rule.name,
        source=rule.source,
        confidence=rule.confidence,
        index=rule.index,
        proxy=index != rule.index,
        prior_close=prior / PRICE_SCALE,
        thresholds=tuple(value // 100 / 100 for value in at_most),
        level=breached,
        halt=rule.halt(breached, epoch_ns(asof, at), asof, close=close, index=index) if breached else None,
    )


def limits(state: State) -> LimitsReply:
    """The limits and their use, live."""
    book, account = state.book, state.account
    return LimitsReply(
        limits=LIMITS,
        holdings=tuple(
            Holding(
                symbol,
                book.positions.get(symbol, 0),
                book.worst(symbol),
                book.money(symbol, book.positions.get(symbol, 0)) / PRICE_SCALE,
            )
            for symbol in book.symbols()
        ),
        gross=book.gross() / PRICE_SCALE,
        open_orders=len(book.open),
        pnl=None if state.pnl is None else state.pnl / PRICE_SCALE,
        killed=account.killed,
        margin_excess=None if account.excess is None else account.excess / PRICE_SCALE,
        breached=tuple(sorted(state.breached)),
    )


def what_if(state: State, order: Order) -> CheckReply:
    """The pre-trade check without its effect."""
    denial = decide(state, order, state.clock_ns)
    return CheckReply(denial is None, denial.code if denial else "", denial.detail if denial else "")


def stress(state: State, fall: float) -> StressReply:
    """A uniform fall of all marks (negative: a rise) on the live holdings."""
    book, limit = state.book, LIMITS.loss
    held = sum(book.money(symbol, held) for symbol, held in book.positions.items())
    loss = held * fall
    return StressReply(fall, loss / PRICE_SCALE, limit / PRICE_SCALE, loss - (state.pnl or 0) >= limit)
