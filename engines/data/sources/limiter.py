"""Never more requests than a source's published limit, in any window of that length."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from engines.data.sources.errors import QuotaExhausted, RateLimited


@dataclass(frozen=True)
class Limit:
    """At most ``count`` requests in any ``per_s`` seconds."""

    count: int
    per_s: float


class Limiter:
    """A log of sending times per limit.

    A bucket that refills lets through twice its size across the edge of a window; a log of the last ``count`` sending
    times does not.  It is kept in memory: what another process sent is unknown, there the source's own answer decides.
    """

    def __init__(
        self,
        limits: tuple[Limit, ...],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sent = [(limit, deque[float](maxlen=limit.count)) for limit in limits]
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()

    def acquire(self, source: str, deadline: float) -> None:
        """Wait for a place and take it.

        Raises:
            RateLimited: the next place comes only after ``deadline``; nothing is taken.
        """
        while True:
            with self._lock:
                now = self._clock()
                wait, limit = self._wait(now)
                if limit is None:
                    for _, sent in self._sent:
                        sent.append(now)
                    return
            if now + wait > deadline:
                raise self._refusal(source, wait, limit)
            self._sleep(wait)

    def _wait(self, now: float) -> tuple[float, Limit | None]:
        """The longest wait of all limits, and whose it is; no limit when there is a place."""
        longest: tuple[float, Limit | None] = (0.0, None)
        for limit, sent in self._sent:
            if len(sent) == limit.count and sent[0] + limit.per_s > now:
                longest = max(longest, (sent[0] + limit.per_s - now, limit), key=lambda each: each[0])
        return longest

    @staticmethod
    def _refusal(source: str, wait: float, limit: Limit) -> RateLimited:
        kind = QuotaExhausted if limit.per_s > 3600 else RateLimited
        return kind(
            source,
            f"{source} was not asked: its limit of {limit.count} requests in {limit.per_s:g} s is reached.",
            f"The next request may leave in {wait:.1f} s, later than this call may wait.",
            "Wait, or ask for less.",
            retry_after=wait,
        )


_limiters: dict[str, Limiter] = {}
_lock = threading.Lock()


def shared(address: str, limits: tuple[Limit, ...]) -> Limiter:
    """The process's one limiter for an address: all connectors to it share its budget."""
    with _lock:
        return _limiters.setdefault(f"{address} {limits}", Limiter(limits))
