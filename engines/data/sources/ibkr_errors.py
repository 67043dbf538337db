"""What TWS's error codes mean here."""

from collections.abc import Callable

from engines.data.sources import errors
from engines.data.sources.errors import SourceError

NAME = "ibkr"
HALTED, RESET = 316, 317  # of a depth subscription: ask again; empty the book
NOTICES = frozenset({2103, 2104, 2105, 2106, 2107, 2108, 2119, 2157, 2158})  # states of TWS's data farms

_Kind = Callable[[str, str, str, str], SourceError]
_MEANING: dict[int, tuple[_Kind, str, str]] = {
    100: (errors.RateLimited, "More than 50 messages a second went to TWS.", "Ask again in a second."),
    200: (errors.NotFound, "TWS knows no such contract.", "Look the symbol up in TWS."),
    309: (errors.QuotaExhausted, "TWS serves no more depth subscriptions at a time.", "End one of those that run."),
    316: (errors.Unavailable, "TWS halts the depth of this contract again and again.", "Try later."),
    321: (errors.BadRequest, "TWS does not accept the request.", ""),
    326: (errors.BadRequest, "Another client uses this client id.", "Set IB_CLIENT_ID to a free one."),
    354: (errors.PremiumRequired, "The account has no subscription to this market data.", "Subscribe to it at IBKR."),
    502: (errors.Unreachable, "TWS is not connected.", "Start TWS or IB Gateway and log in."),
    504: (errors.Unreachable, "TWS is not connected.", "Start TWS or IB Gateway and log in."),
    1100: (errors.Unavailable, "TWS lost its connection to IBKR.", "Wait until TWS is connected again."),
    2152: (errors.PremiumRequired, "Depth needs permissions that the account lacks.", "Subscribe to it at IBKR."),
    10092: (errors.BadRequest, "TWS has no depth for this contract at this exchange.", "Ask for another exchange."),
}
_CONNECTION = frozenset({100, 326, 502, 504, 1100})  # concern every request


def typed(code: int, text: str) -> SourceError:
    """The error of a TWS code; a code that is not listed is a BadRequest that names it.

    Code 162 covers several refusals of the historical data service: the text says which.
    """
    if code == 162:
        kind, what = _historical(text.lower())
        return kind(NAME, what, f"TWS {code}: {text}", "")
    found = _MEANING.get(code)
    if found is None:
        return errors.BadRequest(NAME, "TWS refuses the request.", f"TWS {code}: {text}")
    kind, what, next_step = found
    return kind(NAME, what, f"TWS {code}: {text}", next_step)


def breaks_connection(request: int, code: int) -> bool:
    """Whether an error ends everything that waits, not one request."""
    return request == -1 and code in _CONNECTION


def _historical(text: str) -> tuple[_Kind, str]:
    if "pacing" in text:
        return errors.RateLimited, "Historical data were asked for too often."
    if "permission" in text or "subscri" in text:
        return errors.PremiumRequired, "The account has no subscription to these historical data."
    if "no data" in text:
        return errors.NoData, "TWS has no historical data for this request."
    return errors.Unavailable, "TWS's historical data service fails."
