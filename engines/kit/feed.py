"""Whether an engine's market data flow: first tick seen, stale during an open session, or idle because none is open."""

from collections.abc import Sequence

from engines.wire.bus import Entry
from engines.wire.errors import MessageError
from engines.wire.health import Check
from engines.wire.messages import TOPICS, Session, decode

SESSIONS = "sessions"


class Feed:
    """What an engine read from the market bus.  `stale_s`: seconds without a tick that an open session allows.

    A session counts as open from the first of its messages that is seen to its close.  An engine that does not consume
    sessions cannot know that data are missing, so its feed is never stale.
    """

    def __init__(self, topics: Sequence[str], stale_s: float) -> None:
        self.ticks = frozenset(topic for topic in topics if TOPICS.get(topic) == "market") - {SESSIONS}
        self.stale_s = stale_s
        self.open = ""  # the scenario of the session that is open
        self.since_ns = 0  # CLOCK_MONOTONIC instant at which it was seen to be
        self.tick_ns: int | None = None

    def saw(self, entries: Sequence[Entry], now_ns: int) -> None:
        """Take in what was read just now."""
        if any(entry.topic in self.ticks for entry in entries):
            self.tick_ns = now_ns
        for entry in entries:
            if entry.topic == SESSIONS:
                self._session(entry, now_ns)

    def _session(self, entry: Entry, now_ns: int) -> None:
        try:
            body = decode(*entry).body
        except MessageError:
            return  # the processor counts it and puts it among the dead letters
        if isinstance(body, Session):
            self.open = "" if body.event == "close" else body.scenario
            self.since_ns = now_ns

    def check(self, now_ns: int) -> Check | None:
        """The verdict; None for an engine that consumes no ticks."""
        if not self.ticks:
            return None
        age = None if self.tick_ns is None else (now_ns - self.tick_ns) / 1e9
        seen = "no tick yet" if age is None else f"last tick {age:.1f} s ago"
        if not self.open:
            return Check("feed", "ok", f"{seen}; no session is open")
        quiet = (now_ns - max(self.since_ns, self.tick_ns or 0)) / 1e9
        if quiet > self.stale_s:
            return Check("feed", "fail", f"{seen}, in the open session of {self.open}: stale after {self.stale_s:g} s")
        return Check("feed", "ok", f"{seen}; {self.open} is open")
