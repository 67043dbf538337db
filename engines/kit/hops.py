"""How long messages take to have their effect here: from the root tick's intended time to this engine's commit."""

from collections.abc import Iterable

from hdrh.histogram import HdrHistogram

from engines.wire.messages import Envelope

HIGHEST_US = 60_000_000
_MOST_KEYS = 64


class Hops:
    """HDR histograms in microseconds (1 us to 60 s, three digits), one per trace and input topic."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[str, str], HdrHistogram] = {}
        self.last_message_ns = 0

    def record(self, envelopes: Iterable[Envelope], now_ns: int) -> None:
        """Count committed messages.  Those without an intended time are left out."""
        for envelope in envelopes:
            self.last_message_ns = now_ns
            intended = envelope.header.mono_intended
            if not intended:
                continue
            key = (envelope.header.trace, envelope.topic)
            histogram = self._by_key.get(key)
            if histogram is None:
                if len(self._by_key) >= _MOST_KEYS:
                    self._by_key.pop(next(iter(self._by_key)))
                histogram = self._by_key[key] = HdrHistogram(1, HIGHEST_US, 3)
            histogram.record_value(min(HIGHEST_US, max(1, (now_ns - intended) // 1000)))

    def encoded(self) -> dict[str, str]:
        """`trace topic` -> the histogram in HdrHistogram's compressed base64 form."""
        return {f"{trace} {topic}": h.encode().decode() for (trace, topic), h in self._by_key.items()}
