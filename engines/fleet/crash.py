"""Crash bundles: one folder for each crash, with what is needed to understand it when nobody was looking.

    <state>/crashes/<UTC stamp>_<engine>/
        crash.json     the end (cause, code, signal), the engine's manifest, restarts, /proc facts sampled before it
        log.txt        the last lines of its log
        stack.txt      the last stacks in it (faulthandler: a fatal signal, or the dump before a stall's kill), if any
        messages.json  where its reading stood, and ids and headers of the newest entries of what it reads and writes

A process of its own writes it: a bus that does not answer holds up nobody.  The newest bundles stay, each is bounded,
and no secret is in them: bodies are left out, and passwords and the token are blotted out wherever they stand.
"""

import datetime
import os
import re
import shutil
import signal
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engines.fleet import logs, resp
from engines.fleet.buses import Bus
from engines.fleet.facts import Facts
from engines.fleet.process import Exit
from engines.wire.errors import BusError, MessageError
from engines.wire.manifest import Manifest
from engines.wire.messages import TOPICS, decode_header

KEEP = 20
LINES = 200
_LONGEST = 64 * 1024  # characters of a log
_NEWEST = 3  # entries of each stream
_TIMEOUT_S = 0.5
_STACK = re.compile(r"^(Fatal Python error|Current thread|Thread 0x|Stack \(most recent)")
_FRAME = re.compile(r"^ {2}(File |\.\.\.|<)")


class Crash(msgspec.Struct, frozen=True, kw_only=True):
    """One end that nobody wanted.  `crashes`: within the window of its manifest; `facts`: the last sample, if any."""

    unit: str
    at: str  # UTC, ISO 8601
    cause: str
    exit: Exit
    pid: int
    uptime_s: float | None
    restarts: int
    crashes: int
    facts: Facts | None
    manifest: Manifest | None  # None: a bus


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """Where a bundle's contents come from."""

    crashes: Path
    log: Path
    buses: Sequence[Bus]
    secrets: tuple[str, ...]


def path_of(crashes: Path, unit: str, at: datetime.datetime) -> Path:
    """The folder of a bundle; names sort by time."""
    return crashes / f"{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03d}Z_{unit}"


def report(crash: Crash, sources: Sources, target: Path) -> int:
    """Have a bundle written; the pid of its writer, for a single-threaded caller to reap."""
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.closerange(3, 65_536)  # the locks, the links and the pipes are the supervisor's
        signal.alarm(10)  # whatever it hangs on
        write(crash, sources, target)
        prune(sources.crashes, KEEP)
    except BaseException:  # a forked child must never return into its parent's code
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def write(crash: Crash, sources: Sources, target: Path) -> None:
    """Write a bundle; it appears whole or not at all."""
    draft = target.with_name(f".{target.name}")
    draft.mkdir(mode=0o700, parents=True)
    hide = _blotter(sources.secrets)
    lines = logs.tail(sources.log, LINES)
    about = msgspec.to_builtins(crash)
    if crash.manifest is not None:
        about["manifest"]["env"] = dict.fromkeys(crash.manifest.env, "***")
    texts = {
        "crash.json": msgspec.json.format(msgspec.json.encode(about), indent=2).decode() + "\n",
        "log.txt": "\n".join(lines)[-_LONGEST:] + "\n",
        "stack.txt": "".join(f"{line}\n" for line in stacks(lines)),
        "messages.json": msgspec.json.format(msgspec.json.encode(_messages(crash, sources)), indent=2).decode() + "\n",
    }
    for name, text in texts.items():
        if text:
            (draft / name).write_text(hide(text), "utf-8")
    draft.rename(target)


def prune(crashes: Path, keep: int) -> None:
    """Remove all but the newest bundles, and drafts whose writer died."""
    whole = sorted(path for path in crashes.iterdir() if path.is_dir() and not path.name.startswith("."))
    drafts = sorted(path for path in crashes.glob(".*Z_*"))
    for path in (*whole[: -keep or None], *drafts[:-keep]):
        shutil.rmtree(path, ignore_errors=True)


def stacks(lines: Sequence[str]) -> list[str]:
    """The lines of a log that faulthandler wrote."""
    found: list[str] = []
    inside = False
    for line in lines:
        inside = bool(_STACK.match(line)) or (inside and bool(_FRAME.match(line)))
        if inside:
            found.append(line)
    return found


def _blotter(secrets: Sequence[str]) -> Callable[[str], str]:
    known = [re.escape(secret) for secret in secrets if secret]
    pattern = re.compile("|".join(known)) if known else None
    return (lambda text: pattern.sub("***", text)) if pattern is not None else (lambda text: text)


def _messages(crash: Crash, sources: Sources) -> dict[str, Any]:
    """Per topic the newest entries, and how far the engine had read; or why a bus does not say."""
    if crash.manifest is None:
        return {}
    found: dict[str, Any] = {"consumes": {}, "publishes": {}, "cursors": {}, "problems": []}
    for bus in sources.buses:
        try:
            with resp.Connection(bus.address, _TIMEOUT_S) as link:
                if bus.name == "main":
                    found["cursors"] = _cursors(link, crash.manifest.name)
                for role in ("consumes", "publishes"):
                    topics = [topic for topic in getattr(crash.manifest, role) if TOPICS.get(topic) == bus.name]
                    found[role] |= {topic: _newest(link, topic) for topic in topics}
        except BusError as error:
            found["problems"].append(f"{bus.unit}: {error}")
    return found


def _cursors(link: resp.Connection, owner: str) -> Mapping[str, str]:
    packed = link.ask("HGET", f"commit:{owner}", "cursors")
    return msgspec.msgpack.decode(packed, type=dict[str, str]) if isinstance(packed, bytes) else {}


def _newest(link: resp.Connection, topic: str) -> list[dict[str, Any]]:
    reply = link.ask("XREVRANGE", topic, "+", "-", "COUNT", _NEWEST)
    found = []
    for entry in reply if isinstance(reply, list) else ():
        place, fields = entry
        told = dict(zip(fields[::2], fields[1::2], strict=False))
        try:
            header: Any = msgspec.structs.asdict(decode_header(told.get(b"h", b"")))
        except MessageError as error:
            header = str(error)
        found.append({"id": place.decode(), "header": header, "bytes": len(told.get(b"b", b""))})
    return found
