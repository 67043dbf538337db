"""A body of every message class, from the class's own types: each channel is tried with what it carries."""

from typing import Any, Final

import msgspec
import numpy as np

from engines.wire.messages import MAIN, MARKET, Body, BusName, Order, Trades
from engines.wire.ticks import BUST, DEPTH, LEVEL, QUOTE, TRADE

TICK_ROWS: Final = {"trades": TRADE, "quotes": QUOTE, "depths": DEPTH, "levels": LEVEL, "busts": BUST}
SYMBOL: Final = "AAPL"
_PRICE: Final = 1_500_000
_PLAIN: Final[dict[type[msgspec.inspect.Type], bool | int | float | str]] = {
    msgspec.inspect.BoolType: True,
    msgspec.inspect.IntType: _PRICE,
    msgspec.inspect.FloatType: 1.5,
    msgspec.inspect.StrType: SYMBOL,
}


def bodies(bus: BusName) -> tuple[Body, ...]:
    """One body of each class that travels on a bus."""
    return tuple(sample(kind) for kind in (MARKET if bus == "market" else MAIN))


def sample(kind: type[Body]) -> Body:
    """A body of a class with every field set; tick rows are two rows of the topic's own type.

    Raises:
        NotImplementedError: a field's type is new here.
    """
    made: Body = _value(msgspec.inspect.type_info(kind), kind.TOPIC)
    return made


def order(number: int) -> Order:
    """A small message."""
    return Order(f"o{number}", "bench", SYMBOL, 1, number, _PRICE)


def ticks(first: int, rows: int) -> Trades:
    """A batch of trades whose sizes number them from `first`."""
    batch = np.zeros(rows, TRADE)
    batch["ts"] = batch["size"] = np.arange(first, first + rows)
    batch["symbol"], batch["side"], batch["price"] = 1, 1, _PRICE
    return Trades(("SPX", SYMBOL), batch.tobytes())


def _value(kind: msgspec.inspect.Type, topic: str) -> Any:
    match kind:
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            return cls(**{field.name: _value(field.type, topic) for field in fields})
        case msgspec.inspect.LiteralType(values=values):
            return values[0]
        case msgspec.inspect.UnionType(types=types):
            return _value(next(each for each in types if not isinstance(each, msgspec.inspect.NoneType)), topic)
        case msgspec.inspect.VarTupleType(item_type=item):
            return (_value(item, topic),)
        case msgspec.inspect.DictType(key_type=key, value_type=value):
            return {_value(key, topic): _value(value, topic)}
        case msgspec.inspect.BytesType():
            return np.ones(2, TICK_ROWS[topic]).tobytes()
    if type(kind) in _PLAIN:
        return _PLAIN[type(kind)]
    raise NotImplementedError(f"a field of type {type(kind).__name__}")
