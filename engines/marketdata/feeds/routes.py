"""The feeds over HTTP.  Starting and stopping need the fleet's token, as every route that changes something."""

from collections.abc import Callable, Sequence

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from engines.kit.origin import current
from engines.marketdata.feeds.desk import FeedDesk
from engines.marketdata.feeds.request import FeedsRequest, FeedsStatus


def routes(desk: FeedDesk, free: Callable[[], None]) -> Sequence[HTTPRouteHandler]:
    """GET /feeds, POST /feeds, POST /feeds/{symbol}/stop.  `free` raises UsageError while a replay is under way."""

    @get("/feeds", sync_to_thread=False, summary="State of every feed")
    def state() -> FeedsStatus:
        return desk.status()

    @post("/feeds", sync_to_thread=False, status_code=202, summary="Start feeds")
    def start(data: JSONBody[FeedsRequest]) -> FeedsStatus:
        free()
        return desk.start(data, current())

    @post("/feeds/{symbol:str}/stop", sync_to_thread=False, status_code=202, summary="End one feed")
    def stop(symbol: FromPath[str]) -> FeedsStatus:
        return desk.stop(symbol)

    return [state, start, stop]
