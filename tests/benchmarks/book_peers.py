"""The peers of bench_book, run by their own interpreter: `python book_peers.py STREAM.json ROUNDS`.

Prints one JSON object a line: name, seconds of each round, traded quantity (None where the package does not tell).
Only the standard library and the peers are needed here.  nanobook 0.19.2 (Rust) is not among them: it does not return
from a crossing limit order once orders of that level were cancelled, within the first thousand of this stream.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence

LIMIT, IOC, CANCEL = 0, 2, 3
Op = tuple[int, int, int, int, int]  # order, price, quantity, kind, side
Run = Callable[[Sequence[Op]], tuple[float, int | None]]


def obook_calls(stream: Sequence[Op]) -> tuple[float, int | None]:
    """obook (native, over ctypes), one call an operation.  Its ring of events is read in a second run, untimed."""
    return _obook(stream, read=False)[0], _obook(stream, read=True)[1]


def _obook(stream: Sequence[Op], *, read: bool) -> tuple[float, int]:
    import obook

    ids: dict[int, int] = {}
    traded = 0
    with obook.Book(max_orders=1 << 20) as book:
        submit, cancel = book.submit, book.cancel
        start = time.perf_counter()
        for order, price, quantity, kind, side in stream:
            way = obook.BUY if side > 0 else obook.SELL
            if kind == LIMIT:
                ids[order] = submit(order, way, price, quantity).order_id
            elif kind == IOC:
                submit(order, way, price, quantity, obook.LIMIT, obook.IOC)
            elif order in ids:
                cancel(ids[order], order)
            if read:
                traded += sum(event.qty for event in book.events() if event.kind == obook.EventKind.TRADE)
        return time.perf_counter() - start, traded


def cython_calls(stream: Sequence[Op]) -> tuple[float, int | None]:
    """cython-orderbook, one call an operation."""
    from cython_orderbook import Order, OrderBook, OrderSide

    ids: dict[int, int] = {}
    book = OrderBook()
    start = time.perf_counter()
    for order, price, quantity, kind, side in stream:
        way = OrderSide.BID if side > 0 else OrderSide.ASK
        if kind == LIMIT:
            made = Order(side=way, price=price, original_quantity=quantity)
            ids[order] = made.order_id
            book.add_limit_order(made)
        elif kind == IOC:
            book.add_market_order(Order(side=way, original_quantity=quantity))
        elif order in ids:
            book.cancel_order(ids[order])
    return time.perf_counter() - start, None


PEERS: dict[str, Run] = {
    "obook, call by call": obook_calls,
    "cython-orderbook, call by call": cython_calls,
}


def main() -> None:
    """Run every peer that is installed."""
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 # the peers' interpreter runs nothing else
        stream = [tuple(row) for row in json.load(file)]
    for name, run in PEERS.items():
        try:
            rounds = [run(stream) for _ in range(int(sys.argv[2]))]
        except Exception as error:  # a peer that fails is told, and does not stop the others
            print(json.dumps({"name": name, "error": f"{type(error).__name__}: {error}"}), flush=True)
            continue
        print(json.dumps({"name": name, "seconds": [s for s, _ in rounds], "traded": rounds[0][1]}), flush=True)


if __name__ == "__main__":
    main()
