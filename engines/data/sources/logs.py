"""What the HTTP libraries log, without secrets: addresses that a server made up, headers as they came."""

import logging
import threading
import weakref

from engines.data.sources.secret import Redactor

LOGGERS = ("httpx", "yfinance", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))


class _Mask(logging.Filter):
    """Masks a record with every redactor in use.  On the loggers: handlers anywhere see the masked record."""

    def __init__(self) -> None:
        super().__init__()
        self.redactors: weakref.WeakSet[Redactor] = weakref.WeakSet()
        self.lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        with self.lock:
            redactors = tuple(self.redactors)
        for redactor in redactors:
            text = redactor.text(text)
        record.msg, record.args = text, None
        return True


_mask = _Mask()


def mask(redactor: Redactor) -> None:
    """From now on, and while the redactor lives, no line of these libraries holds its secrets."""
    with _mask.lock:
        _mask.redactors.add(redactor)
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_mask)  # a second time changes nothing
