"""After a start: the desk's open orders against those that the venue works, before the engine counts as healthy.

The desk's state is committed with its orders, so after a crash both sets agree once the venue's answers have come, in a
moment.  That they do is shown, not believed: the venue is asked until its orders are the desk's.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import NamedTuple

import msgspec

from engines.kit.runtime import Runtime
from engines.strategy.model import Desk
from engines.strategy.orders import Book
from engines.wire.health import Check
from engines.wire.manifest import discover, pick

log = logging.getLogger(__name__)
VENUE = "marketdata"
_EVERY_S = 0.1
_TIMEOUT_S = 2.0


class Difference(NamedTuple):
    """Order ids: accepted ones that the venue does not work, and those it works that the desk does not know."""

    missing: tuple[str, ...]
    unknown: tuple[str, ...]


class _Working(msgspec.Struct):
    order_id: str


class _Book(msgspec.Struct):
    """What is read of the venue's `GET /book`."""

    buys: tuple[_Working, ...]
    sells: tuple[_Working, ...]


def difference(book: Book, opened: Collection[str], working: Mapping[str, Collection[str]]) -> Difference:
    """Compare what is left of the orders `opened` at the start with what the venue works (symbol -> order ids)."""
    theirs = {order_id for ids in working.values() for order_id in ids}
    ours = {
        order_id
        for order_id, tracked in book.open.items()
        if order_id in opened and tracked.status != "pending" and tracked.owed is None
    }
    return Difference(tuple(sorted(ours - theirs)), tuple(sorted(theirs - book.open.keys())))


class Reconciler:
    """One start's comparison.  `check` is its part of the engine's health."""

    def __init__(self) -> None:
        self._detail = "not compared yet"
        self._done = False

    def check(self, book: Book) -> Check:
        """Fails until both sets were the same once, or none of the desk's is open."""
        done = self._done or not book.open
        return Check("orders-reconciled", "ok" if done else "fail", self._detail if book.open else "none is open")

    async def run(self, runtime: Runtime[Desk]) -> None:
        """Ask the venue until it agrees; a desk that starts without open orders has nothing to compare."""
        while runtime.holder.epoch == 0 and not runtime.stop.is_set():  # noqa: ASYNC110 - claiming is no event
            await asyncio.sleep(_EVERY_S / 10)
        opened = frozenset(runtime.state.book.open)
        while opened and not runtime.stop.is_set():
            found = await self._compare(runtime, opened)
            if found == ((), ()):
                break
            await asyncio.sleep(_EVERY_S)
        self._done = True
        self._detail = f"{len(opened)} were open at the start, as at the venue" if opened else "none were open"
        log.info("orders reconciled: %s", self._detail)

    async def _compare(self, runtime: Runtime[Desk], opened: Collection[str]) -> Difference | None:
        session = runtime.state.session
        try:
            symbols = session.orderable if session is not None else ()
            working = {symbol: await _ask(runtime, symbol) for symbol in symbols}
        except (OSError, TimeoutError, msgspec.DecodeError) as error:
            self._detail = f"the venue does not tell its orders: {type(error).__name__} {error}".strip()
            return None
        found = difference(runtime.state.book, opened, working)
        self._detail = f"not at the venue: {found.missing}; not the desk's: {found.unknown}"
        return found


async def _ask(runtime: Runtime[Desk], symbol: str) -> list[str]:
    """Ids of the orders that the venue works in a symbol.

    Raises:
        OSError, TimeoutError: it does not answer.
        msgspec.DecodeError: it answers something else.
    """
    host, port = runtime.settings.host, pick(discover(), VENUE).port + runtime.settings.port_offset
    async with asyncio.timeout(_TIMEOUT_S):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            wanted = f"GET /book?symbol={symbol} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
            writer.write(wanted.encode())
            head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        finally:
            writer.close()
    if head[9:10] == b"4":
        return []  # no session has opened there, or not with this symbol: it works nothing
    found = msgspec.json.decode(body, type=_Book)
    return [working.order_id for working in (*found.buys, *found.sells)]
