"""HTTP health of all engines at once, over bare sockets: importing an HTTP library would cost more than all of this."""

import contextlib
import selectors
import socket
import time
from collections.abc import Sequence

import msgspec

from engines.fleet.asking import Answered, judge, whole
from engines.fleet.status import EngineHealth, EngineStatus
from engines.wire.health import Check, HealthReport, HealthRule

TIMEOUT_S = 2.0
_report = msgspec.json.Decoder(HealthReport)


class _Ask:
    """One request under way."""

    def __init__(self, engine: EngineStatus, host: str) -> None:
        self.engine = engine
        self.link = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        self.link.setblocking(False)
        self.received = b""
        self.took_ms: float | None = None
        self.error = ""
        path = engine.foreign.path if engine.foreign is not None else "/health"
        self._unsent = (
            f"GET {path} HTTP/1.1\r\nHost: {_bracketed(host)}:{engine.port}\r\nConnection: close\r\n\r\n".encode()
        )
        self._start = time.perf_counter()
        with contextlib.suppress(BlockingIOError):
            self.link.connect((host, engine.port))

    @property
    def waits_for(self) -> int:
        """What the selector should watch."""
        return selectors.EVENT_WRITE if self._unsent else selectors.EVENT_READ

    def step(self) -> bool:
        """Go on; True when done."""
        try:
            if self._unsent:
                self._unsent = self._unsent[self.link.send(self._unsent) :]
                return False
            data = self.link.recv(65_536)
        except BlockingIOError:
            return False
        except OSError as error:
            self.error = error.strerror or str(error)
            return True
        self.received += data
        if data and not whole(self.received):
            return False
        self.took_ms = round((time.perf_counter() - self._start) * 1000, 3)
        return True

    def result(self) -> EngineHealth:
        """What came of it."""
        silent = EngineHealth(
            name=self.engine.name,
            title=self.engine.title,
            port=self.engine.port,
            status="down",
            response_ms=None,
            uptime_s=None,
            pid=self.engine.pid,
            restarts=self.engine.restarts,
            critical=self.engine.critical,
            error=f"{self.error} ({self.engine.state})",
        )
        if self.error:
            return silent
        if self.engine.foreign is not None:
            return _of_foreign(silent, self.engine, self.received, self.took_ms)
        head, _, body = self.received.partition(b"\r\n\r\n")
        try:
            report = _report.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return msgspec.structs.replace(silent, error=f"not a health report: {head[:60]!r}")
        return msgspec.structs.replace(
            silent,
            status=report.status,
            response_ms=self.took_ms,
            uptime_s=report.uptime_s,
            pid=report.pid,
            features=report.features,
            checks=report.checks,
            error="",
        )


def probe(engines: Sequence[EngineStatus], host: str, timeout_s: float = TIMEOUT_S) -> list[EngineHealth]:
    """Each engine's health, in the given order; none takes longer than the time-out."""
    asks = [_Ask(engine, host) for engine in engines]
    until = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        for ask in asks:
            selector.register(ask.link, ask.waits_for, ask)
        while selector.get_map():
            ready = selector.select(max(0.0, until - time.monotonic()))
            if not ready:
                break
            for key, _ in ready:
                ask = key.data
                if ask.step():
                    selector.unregister(ask.link)
                elif key.events != ask.waits_for:
                    selector.modify(ask.link, ask.waits_for, ask)
        for key in list(selector.get_map().values()):
            key.data.error = f"no answer within {timeout_s:g} s"
    for ask in asks:
        ask.link.close()
    return [ask.result() for ask in asks]


def _of_foreign(silent: EngineHealth, engine: EngineStatus, reply: bytes, took_ms: float | None) -> EngineHealth:
    """A foreign engine has no report of its own: its reply says whether it is well, its supervisor for how long."""
    rule = engine.foreign or HealthRule()
    answer = judge(rule, reply)
    if answer is Answered.SILENT:
        return msgspec.structs.replace(silent, error="not an HTTP reply")
    found = msgspec.structs.replace(silent, response_ms=took_ms, uptime_s=engine.uptime_s, error="")
    if answer is Answered.WELL:
        return msgspec.structs.replace(found, status="healthy")
    status = reply.partition(b"\r\n")[0].decode("latin-1")[:60]
    wrong = f", or {rule.field} is not {rule.equals!r}" if rule.field else ""
    check = Check("health path", "fail", f"GET {rule.path} says {status}{wrong}")
    return msgspec.structs.replace(found, status="degraded", checks=(check,))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
