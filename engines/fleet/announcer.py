"""The supervisor's voice on the main bus: the `fleet` topic, on each change and every few seconds."""

import time

from engines.fleet import resp
from engines.fleet.resp import Connection
from engines.wire.errors import BusError
from engines.wire.messages import Fleet, FleetEngine, Header, encode_body, encode_header

_TIMEOUT_S = 0.3
_EVERY_S = 5.0
PRODUCER = "fleet"


class Announcer:
    """Publishes the fleet's state; an unreachable bus is tried again at the next change."""

    def __init__(self, address: resp.Address) -> None:
        self._address = address
        self._link: Connection | None = None
        self._epoch = 0
        self._seq = 0
        self._said: tuple[FleetEngine, ...] = ()
        self._at = 0.0
        self.failures = 0

    def say(self, engines: tuple[FleetEngine, ...], now: float) -> bool:
        """Publish when something changed or a while has passed; whether an entry was added."""
        if engines == self._said and now - self._at < _EVERY_S:
            return False
        try:
            link = self._connected()
            mono = time.monotonic_ns()
            header = Header(PRODUCER, self._epoch, self._seq + 1, "", self._seq + 1, "", time.time_ns(), mono, mono)
            body = Fleet(engines)
            link.ask("XADD", Fleet.TOPIC, "*", "h", encode_header(header), "b", encode_body(body))
        except BusError:
            self.failures += 1
            self._at = now  # not again at once
            self._said = engines
            self.close()
            return False
        self._seq += 1
        self._said, self._at = engines, now
        return True

    def close(self) -> None:
        """Hang up."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def _connected(self) -> Connection:
        """The connection; a new one is a new incarnation, so that `seq` stays gap-free within an epoch."""
        if self._link is None:
            link = Connection(self._address, _TIMEOUT_S)
            epoch = link.ask("INCR", f"epoch:{PRODUCER}")
            if not isinstance(epoch, int):
                link.close()
                raise BusError("The bus does not count epochs.", repr(epoch))
            self._link, self._epoch, self._seq = link, epoch, 0
        return self._link
