"""Run it."""

import dataclasses
from collections.abc import Callable, Sequence

from engines.factor.model import State
from engines.factor.service import engine as shipped
from engines.kit.processor import Processor
from engines.kit.serve import serve
from engines.wire.bus import Bus, Commit
from engines.wire.redis_bus import RedisBus


class Trimming(RedisBus):
    """A bus whose topic is emptied after every commit."""

    async def commit(self, commit: Commit) -> None:
        """Publish, and drop it."""
        await super().commit(commit)
        if commit.outputs:
            await self._ask([("XTRIM", "factors", "MAXLEN", 0)])


def unit(engine: object, topics: Sequence[str], main: Bus, mono_ns: Callable[[], int]) -> Processor[State]:
    """The shipped unit on that bus."""
    assert isinstance(main, RedisBus)
    main.__class__ = Trimming
    return Processor(shipped, topics, main, mono_ns)


engine = dataclasses.replace(shipped, unit=unit)


def main() -> None:
    """Serve until told to stop."""
    serve(engine)


if __name__ == "__main__":
    main()
