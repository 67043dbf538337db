"""How far the consumers of the replayed topics are behind: what paces a replay outside its window."""

from collections.abc import Callable, Iterable, Mapping

from engines.marketdata.publisher import TOPICS
from engines.wire.bus import START, Bus, parse_id
from engines.wire.manifest import Manifest


def of(manifests: Iterable[Manifest]) -> dict[str, tuple[str, ...]]:
    """Engine -> those of the replayed topics that it consumes."""
    found = {m.name: tuple(topic for topic in m.consumes if topic in TOPICS) for m in manifests}
    return {name: topics for name, topics in found.items() if topics}


class Followers:
    """Looks at the cursors that consumers committed to the main bus.

    An engine that never ran is not a consumer; one whose cursors stand still longer than `patience_s` while it is
    behind is taken to be down, until it moves again.
    """

    def __init__(
        self, main: Bus, consumers: Mapping[str, tuple[str, ...]], mono_ns: Callable[[], int], patience_s: float
    ) -> None:
        self._main = main
        self._consumers = consumers
        self._mono_ns = mono_ns
        self._patience_ns = int(patience_s * 1e9)
        self._moved: dict[str, tuple[tuple[str, ...], int]] = {}  # engine -> its cursors, and since when

    async def behind(self, last: Mapping[str, str]) -> int:
        """Batches by which the slowest live consumer is behind `last` (topic -> id of its newest entry).

        Raises:
            BusError: the main bus does not answer.
        """
        most = 0
        for engine, topics in self._consumers.items():
            saved = await self._main.saved(engine)
            if saved.epoch == 0:
                continue
            cursors = tuple(saved.cursors.get(topic, START) for topic in topics)
            gap = max(
                (_gap(last[topic], cursor) for topic, cursor in zip(topics, cursors, strict=True) if topic in last),
                default=0,
            )
            if gap and self._alive(engine, cursors):
                most = max(most, gap)
        return most

    def _alive(self, engine: str, cursors: tuple[str, ...]) -> bool:
        now = self._mono_ns()
        before = self._moved.get(engine)
        if before is None or before[0] != cursors:
            self._moved[engine] = (cursors, now)
            return True
        return now - before[1] < self._patience_ns


def _gap(newest: str, cursor: str) -> int:
    """Batches between a cursor and the newest entry; a cursor of an earlier replay is behind by the whole of this."""
    (replay, number), (at_replay, at_number) = parse_id(newest), parse_id(cursor)
    return number - at_number if replay == at_replay else number if replay > at_replay else 0
