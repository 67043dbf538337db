"""What is seen of a fleet while faults are injected: the supervisor's events and every engine's health, stamped.

Two threads look, so that a slow answer of one engine delays no stamp of another.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from engines.fleet.status import EngineHealth, Event
from engines.wire.errors import NautilusError

_LOST = frozenset({"crashed", "failed", "backoff", "stopped", "stopping"})
_BACK = frozenset({"starting"})
_EVERY_S = 0.1


class Seen(NamedTuple):
    """One observation: `what` is an event's state, or a health status; `source` event or health.

    `troubles`: the names of an engine's checks that are not ok; `took_ms`: how long its report took.
    """

    at_ns: int
    source: str
    unit: str
    what: str
    troubles: frozenset[str] = frozenset()
    took_ms: float | None = None


class Watch:
    """Collects observations until it is closed.

    `events`: the supervisor's events from its first on, until it is gone.  `health`: asks everyone once, every
    `every_s`.  Events from before its beginning are stamped with it, and so lie before every injection.
    """

    def __init__(
        self,
        events: Callable[[], Iterable[Event]],
        health: Callable[[], Iterable[EngineHealth]],
        on_health: Callable[[Iterable[EngineHealth]], None],
        every_s: float = _EVERY_S,
    ) -> None:
        self._events, self._health, self._on_health = events, health, on_health
        self._every_s = every_s
        self._seen: list[Seen] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=loop, daemon=True) for loop in (self._follow, self._ask)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop asking; the follower ends with its connection."""
        self._over.set()
        self._threads[1].join(10.0)

    def lost(self, unit: str, since_ns: int) -> int | None:
        """When the supervisor said that a unit is down, first after `since_ns`."""
        return self._first(lambda seen: seen.source == "event" and seen.unit == unit and seen.what in _LOST, since_ns)

    def back(self, unit: str, since_ns: int) -> int | None:
        """When the supervisor started a unit again, first after `since_ns`."""
        return self._first(lambda seen: seen.source == "event" and seen.unit == unit and seen.what in _BACK, since_ns)

    def unwell(self, unit: str, since_ns: int) -> int | None:
        """When an engine that was healthy did not answer so, or one of its checks was no longer ok, first after it."""
        before = self._before(unit, since_ns)
        return self._first(
            lambda seen: (
                seen.source == "health"
                and seen.unit == unit
                and ((seen.what != "healthy" and before.what == "healthy") or not seen.troubles <= before.troubles)
            ),
            since_ns,
        )

    def well(self, unit: str, since_ns: int) -> int | None:
        """When an engine answered healthy, first after `since_ns`."""
        return self._first(
            lambda seen: seen.source == "health" and seen.unit == unit and seen.what == "healthy", since_ns
        )

    def answering(self, unit: str, within_ms: float, since_ns: int) -> bool:
        """Whether an engine's last report is from after `since_ns`, healthy, and came in time."""
        last = self._before(unit, time.monotonic_ns())
        in_time = last.took_ms is not None and last.took_ms <= within_ms
        return last.at_ns > since_ns and last.what == "healthy" and in_time

    def _before(self, unit: str, at_ns: int) -> Seen:
        """What an engine said when it was last asked; healthy when it had not been."""
        with self._lock:
            own = (seen for seen in reversed(self._seen) if seen.source == "health" and seen.unit == unit)
            return next((seen for seen in own if seen.at_ns <= at_ns), Seen(0, "health", unit, "healthy"))

    def _first(self, chosen: Callable[[Seen], bool], since_ns: int) -> int | None:
        with self._lock:
            return next((seen.at_ns for seen in self._seen if seen.at_ns > since_ns and chosen(seen)), None)

    def _note(
        self, source: str, unit: str, what: str, troubles: frozenset[str] = frozenset(), took_ms: float | None = None
    ) -> None:
        with self._lock:
            self._seen.append(Seen(time.monotonic_ns(), source, unit, what, troubles, took_ms))

    def _follow(self) -> None:
        heard: set[tuple[int, float]] = set()  # a lost connection tells everything again
        while not self._over.is_set():
            with contextlib.suppress(NautilusError, OSError):  # no supervisor: look again in a moment
                for event in self._events():
                    again = (event.seq, event.elapsed_s) in heard
                    heard.add((event.seq, event.elapsed_s))
                    if event.name and not again:
                        self._note("event", event.name, event.state)
                    if self._over.is_set():
                        return
            self._over.wait(self._every_s)

    def _ask(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(NautilusError, OSError):
                answers = list(self._health())
                for answer in answers:
                    troubles = frozenset(check.name for check in answer.checks if check.status != "ok")
                    self._note("health", answer.name, answer.status, troubles, answer.response_ms)
                self._on_health(answers)
            self._over.wait(self._every_s)
