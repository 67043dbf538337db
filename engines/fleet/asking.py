"""One GET of a foreign engine's health path, a little further on each turn of a loop: nothing here ever waits."""

import contextlib
import socket
from enum import Enum
from typing import Any

import msgspec

from engines.wire.health import HealthRule

_MOST = 1 << 20  # bytes of a reply that are read
_BLOCK = 65_536


class Answered(Enum):
    """What a reply says."""

    WELL = "well"
    UNWELL = "unwell"  # another status than 2xx, or the field is not what it should be
    SILENT = "silent"  # no reply, or none in time


class Asking:
    """A request under way.  Times are CLOCK_MONOTONIC seconds."""

    def __init__(self, host: str, port: int, rule: HealthRule, now: float) -> None:
        self._rule = rule
        self._until = now + rule.timeout_s
        self._received = b""
        name = f"[{host}]" if ":" in host else host
        self._unsent = f"GET {rule.path} HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\n\r\n".encode()
        self._link = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        self._link.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            self._link.connect((host, port))

    def go_on(self, now: float) -> Answered | None:
        """As far as it goes without waiting; None while it is under way."""
        try:
            found = self._step()
        except BlockingIOError:
            found = None
        except OSError:
            found = Answered.SILENT
        if found is None and now >= self._until:
            found = Answered.SILENT
        if found is not None:
            self.close()
        return found

    def close(self) -> None:
        """Hang up."""
        self._link.close()

    def _step(self) -> Answered | None:
        if self._unsent:
            self._unsent = self._unsent[self._link.send(self._unsent) :]
        while data := self._link.recv(_BLOCK):
            self._received += data
            if len(self._received) > _MOST:
                return Answered.UNWELL
            if whole(self._received):
                break
        return judge(self._rule, self._received)


def whole(data: bytes) -> bool:
    """Whether a reply with a Content-Length is complete; one without ends with its connection."""
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return len(body) >= int(value)
    return False


def judge(rule: HealthRule, reply: bytes) -> Answered:
    """What a whole reply says, by the engine's rule."""
    head, _, body = reply.partition(b"\r\n\r\n")
    words = head.split(b"\r\n")[0].split(b" ")
    if not head.startswith(b"HTTP/") or len(words) < 2:
        return Answered.SILENT
    well = words[1].isdigit() and 200 <= int(words[1]) < 300
    return Answered.WELL if well and (not rule.field or _field(body, rule) == rule.equals) else Answered.UNWELL


def _field(body: bytes, rule: HealthRule) -> Any:
    """The value at the rule's dotted path; a value that equals nothing where there is none."""
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Answered.UNWELL
    for part in rule.field.split("."):
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return Answered.UNWELL
    return found
