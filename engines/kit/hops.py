"""How long messages take to have their effect here, by their own stamps, up to this engine's commit.

From the root tick's intended time, for every message; and from its sending, for the root ticks themselves: what is left
of the first is the time until they were published.  What a request caused counts from that request's arrival.
"""

from collections.abc import Iterable

from hdrh.histogram import HdrHistogram

from engines.wire.messages import Envelope
from engines.wire.trace import least_missed

HIGHEST_US = 60_000_000
BUS = "bus"  # the stage from a root message's sending on
_MOST_KEYS = 96

Key = tuple[str, str, str]  # trace, topic, and BUS or nothing


class Hops:
    """HDR histograms in microseconds (1 us to 60 s, three digits), by trace, input topic and stage."""

    def __init__(self) -> None:
        self._by_key: dict[Key, HdrHistogram] = {}
        self.last_message_ns = 0

    def record(self, envelopes: Iterable[Envelope], now_ns: int) -> None:
        """Count committed messages.  Those without an intended time are left out."""
        for envelope in envelopes:
            self.last_message_ns = now_ns
            header = envelope.header
            if not header.mono_intended:
                continue
            self._count((header.trace, envelope.topic, ""), now_ns - header.mono_intended)
            if not header.cause:
                self._count((header.trace, envelope.topic, BUS), now_ns - header.mono_sent)

    def encoded(self) -> dict[str, str]:
        """`trace topic` or `trace topic bus` -> the histogram in HdrHistogram's compressed base64 form."""
        return {" ".join(filter(None, key)): h.encode().decode() for key, h in self._by_key.items()}

    def _count(self, key: Key, took_ns: int) -> None:
        histogram = self._by_key.get(key)
        if histogram is None:
            if len(self._by_key) >= _MOST_KEYS:
                self._forget()
            histogram = self._by_key[key] = HdrHistogram(1, HIGHEST_US, 3)
        histogram.record_value(min(HIGHEST_US, max(1, took_ns // 1000)))

    def _forget(self) -> None:
        """Make room for one key."""
        trace = least_missed([key[0] for key in self._by_key])
        self._by_key.pop(next(key for key in self._by_key if key[0] == trace))
