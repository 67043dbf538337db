"""Run it."""

import asyncio

from litestar.types import Receive, Scope, Send

from engines.backtesting.service import engine
from engines.kit.serve import serve
from engines.kit.service import Front

LATE_S = 0.3
_prompt = Front.__call__


async def _late(self: Front, scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(LATE_S)
    await _prompt(self, scope, receive, send)


def main() -> None:
    """Serve until told to stop."""
    Front.__call__ = _late  # type: ignore[method-assign] # that is the defect
    serve(engine)


if __name__ == "__main__":
    main()
