"""When engines keep their service level again: each answers in time, and no message waits for it for long.

Pure: it is told look by look what was seen of the engines and the buses.
"""

from collections.abc import Mapping
from typing import NamedTuple

from engines.wire.bus import START, parse_id
from engines.wire.manifest import ServiceLevel

Id = tuple[int, int]
HOLD_S = 0.3
_START = parse_id(START)


class Duty(NamedTuple):
    """What an engine owes: its level over the topics that it consumes, and topics that must go on because of it."""

    level: ServiceLevel
    consumes: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()


class Look(NamedTuple):
    """What was seen between two instants of CLOCK_MONOTONIC: `ends`, each topic's last entry, read first; then
    `cursors`, by engine and topic, the last entry that it has taken.  `answering`: whose last health report was
    healthy and came within its level.
    """

    asked_ns: int
    seen_ns: int
    ends: Mapping[str, Id]
    cursors: Mapping[str, Mapping[str, Id]]
    answering: frozenset[str]


class Regain:
    """Engines on their way back.  One is back from the first of those looks, `hold_s` long, that all find its level
    kept: it answers, and has taken everything that lay on the buses `fresh_ms` before.
    """

    def __init__(self, duties: Mapping[str, Duty], hold_s: float = HOLD_S) -> None:
        self.at: dict[str, int] = {}
        self._duties = duties
        self._hold_ns = hold_s * 1e9
        self._looks: list[Look] = []
        self._since: dict[str, int] = {}

    @property
    def missing(self) -> frozenset[str]:
        """Who is not back."""
        return frozenset(self._duties.keys() - self.at.keys())

    @property
    def holding(self) -> bool:
        """Whether the last look found everyone's level kept."""
        return all(name in self.at or name in self._since for name in self._duties)

    def look(self, look: Look) -> None:
        """Take in what was seen."""
        self._looks.append(look)
        for name in self.missing:
            if name not in look.answering or not self._fresh(name, look):
                self._since.pop(name, None)
                continue
            since = self._since.setdefault(name, look.seen_ns)
            if look.seen_ns - since >= self._hold_ns:
                self.at[name] = since

    def blind(self) -> None:
        """Nothing could be seen: what was kept until now has to be kept anew."""
        self._since.clear()

    def _fresh(self, name: str, look: Look) -> bool:
        """Whether it has taken what was there `fresh_ms` ago; what was there at the first look, if that is later."""
        duty = self._duties[name]
        due_ns = look.seen_ns - duty.level.fresh_ms * 1e6
        old = next((each for each in reversed(self._looks) if each.asked_ns <= due_ns), self._looks[0])
        taken = look.cursors[name]
        flows = all(look.ends[topic] > self._looks[0].ends[topic] for topic in duty.feeds)
        return flows and all(taken.get(topic, _START) >= old.ends[topic] for topic in duty.consumes)
