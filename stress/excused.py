"""Engines that announced faults touch at this moment: what is seen of their health aborts nothing."""

from collections.abc import Iterable


class Excused:
    """By fault, from its beginning until its engines are back or are no longer waited for."""

    def __init__(self) -> None:
        self._engines: dict[str, frozenset[str]] = {}

    def begin(self, fault: str, engines: Iterable[str]) -> None:
        """A fault (its id) touches these from now on."""
        self._engines[fault] = frozenset(engines)

    def end(self, fault: str) -> None:
        """It excuses nobody any more."""
        del self._engines[fault]

    def now(self) -> frozenset[str]:
        """Everyone whom a fault excuses."""
        return frozenset().union(*self._engines.values())
