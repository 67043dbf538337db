"""What an external source can answer instead of data.

SourceError             carries the source's name; its texts are redacted before it is built
├── NotConfigured       a key, an identity or a package is missing; nothing was sent
├── Unsupported         this source does not know that kind of request; nothing was sent
├── AuthError           the source refuses the key or the identity
├── PremiumRequired     the key is good, the plan does not include what was asked
├── RateLimited         too many requests; `retry_after` in seconds where the source says so
│   └── QuotaExhausted  the day's or the plan's allowance is spent: waiting a little does not help
├── NotFound            no such symbol, series or entity
├── BadRequest          the source refuses the request's form
├── NoData              a good answer without one row
├── BadReply            not what the source documents: not JSON, another shape, too large, another host
│   └── CutShort        the connection ended inside the reply
├── Unavailable         the source answers that it cannot (5xx)
└── Unreachable         nobody answers
    └── NoReply         somebody is there, but not in time
"""

from typing import ClassVar

from engines.wire.errors import NautilusError


class SourceError(NautilusError):
    """A source did not deliver.  `transient`: the same request may succeed a little later."""

    transient: ClassVar[bool] = False

    def __init__(self, source: str, what: str, why: str = "", next_step: str = "") -> None:
        super().__init__(_sentence(what), _sentence(why), _sentence(next_step))
        self.source = source


def _sentence(text: str) -> str:
    """A text that ends: what others wrote often does not."""
    text = text.strip()
    return f"{text}." if text and text[-1] not in ".!?:" else text


class NotConfigured(SourceError):
    """A key, an identity or a package is missing; nothing was sent."""


class Unsupported(SourceError):
    """This source does not know that kind of request; nothing was sent."""


class AuthError(SourceError):
    """The source refuses the key or the identity."""


class PremiumRequired(SourceError):
    """The key is good, the plan does not include what was asked."""


class RateLimited(SourceError):
    """Too many requests.  `retry_after`: seconds, None where the source does not say."""

    transient: ClassVar[bool] = True

    def __init__(
        self, source: str, what: str, why: str = "", next_step: str = "", *, retry_after: float | None = None
    ) -> None:
        super().__init__(source, what, why, next_step)
        self.retry_after = retry_after


class QuotaExhausted(RateLimited):
    """The day's or the plan's allowance is spent."""

    transient: ClassVar[bool] = False


class NotFound(SourceError):
    """No such symbol, series or entity."""


class BadRequest(SourceError):
    """The source refuses the request's form."""


class NoData(SourceError):
    """A good answer without one row."""


class BadReply(SourceError):
    """Not what the source documents."""


class CutShort(BadReply):
    """The connection ended inside the reply."""

    transient: ClassVar[bool] = True


class Unavailable(SourceError):
    """The source answers that it cannot (5xx).  `retry_after`: seconds, None where it does not say."""

    transient: ClassVar[bool] = True

    def __init__(
        self, source: str, what: str, why: str = "", next_step: str = "", *, retry_after: float | None = None
    ) -> None:
        super().__init__(source, what, why, next_step)
        self.retry_after = retry_after


class Unreachable(SourceError):
    """Nobody answers at the source's address."""

    transient: ClassVar[bool] = True


class NoReply(Unreachable):
    """Somebody is there, but the answer did not come in time."""
