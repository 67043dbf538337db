"""When to ask again: exponential back-off with full jitter, the server's own Retry-After, and an end to patience."""

import datetime as dt
import email.utils
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from engines.data.sources.errors import RateLimited, SourceError, Unavailable

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How long to wait for a source.  Seconds."""

    connect_s: float = 5.0
    read_s: float = 15.0  # between two pieces of a reply
    total_s: float = 60.0  # for one request with all its retries and all waiting for the rate limit
    attempts: int = 4
    base_s: float = 0.5  # the first back-off is between 0 and this, each further one up to twice as long
    cap_s: float = 20.0  # the longest back-off of our own choice

    @classmethod
    def for_probe(cls, timeout: float) -> "Patience":
        """One attempt that ends before ``timeout`` seconds have gone by."""
        return cls(connect_s=timeout * 0.5, read_s=timeout * 0.8, total_s=timeout * 0.9, attempts=1)


@dataclass(frozen=True)
class Retry:
    """Calls again while an error is transient, attempts are left and the next wait ends before the deadline."""

    patience: Patience
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    rng: random.Random = field(default_factory=random.Random)

    def call(self, attempt: Callable[[float], T]) -> T:
        """What ``attempt(deadline)`` returns; the deadline is of ``clock``.

        Raises:
            SourceError: the last attempt's.
        """
        deadline = self.clock() + self.patience.total_s
        for number in range(1, self.patience.attempts + 1):
            try:
                return attempt(deadline)
            except SourceError as error:
                wait = self.wait(number, error)
                if not error.transient or number == self.patience.attempts or self.clock() + wait >= deadline:
                    raise
            self.sleep(wait)
        raise AssertionError("a policy has at least one attempt")

    def wait(self, number: int, error: SourceError) -> float:
        """Seconds before the attempt after the ``number``-th.

        Full jitter (Brooker, "Exponential Backoff And Jitter", 2015), never less than the server asked for: on top of
        its Retry-After comes jitter, so that clients told the same do not come back together.
        """
        jitter = self.rng.uniform(0, min(self.patience.cap_s, self.patience.base_s * 2 ** (number - 1)))
        asked = error.retry_after if isinstance(error, RateLimited | Unavailable) else None
        return (asked or 0.0) + jitter


def retry_after(value: str | None, now: dt.datetime) -> float | None:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3): a number or an HTTP date; None if it is neither."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.UTC)
    return max(0.0, (when - now).total_seconds())
