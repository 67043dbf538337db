"""A trained model's file is damaged: one byte of it is turned while the engine runs.

The whole file is kept beside it first, and put back by healing.  What is seen: the engine's check of its trees fails,
and it refuses the model by name; after healing both are well again.  An engine that starts meanwhile trains again.
"""

import hashlib
import http.client
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engines.wire.errors import UsageError
from engines.wire.health import HealthReport
from stress.faults.fault import Done, Fault, Undo, Value, identify, pid_of
from stress.faults.parameter import mistaken, unlike
from stress.faults.processes import until
from stress.faults.undo import UndoJournal

if TYPE_CHECKING:
    from stress.fleet import MissionFleet

TARGET = "ml"
_CHECK = "trees"
_ASKED = "/predict?model=lightgbm&symbol=AAPL"
_KEPT = ".kept"
_NOBODY = "nobody"
_TIMEOUT_S = 5.0
_TRAINED_S = 30.0  # after its start the engine trains at the lowest priority
_SEEN_S = 6.0  # the engine checks once a second


class Door(NamedTuple):
    """Where an engine answers."""

    host: str
    port: int

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; 0 where nobody answers."""
        link = http.client.HTTPConnection(self.host, self.port, timeout=_TIMEOUT_S)
        try:
            link.request("GET", path)
            reply = link.getresponse()
            return reply.status, reply.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            link.close()

    def check(self) -> str:
        """What the engine says of its trees; `nobody`: it does not answer."""
        code, said = self.get("/health")
        if code == 0:
            return _NOBODY
        report = msgspec.json.decode(said, type=HealthReport)
        return next((check.status for check in report.checks if check.name == _CHECK), "unknown")


class CorruptModel:
    """The kind `corrupt-model`."""

    name = "corrupt-model"
    lasting = True

    def mistakes(self, target: str, parameters: Mapping[str, Value]) -> Iterator[str]:
        """The one engine that keeps models, and no parameters."""
        yield from unlike(target, (TARGET,))
        yield from mistaken(parameters, ())

    def inject(self, fault: Fault, fleet: "MissionFleet", journal: UndoJournal) -> Done:
        """Keep the file, then turn a byte of it.

        Raises:
            NautilusError: no model was trained in time, or the engine is down.
        """
        status = fleet.refresh()
        identify(pid_of(status, fault.target))
        folder = Path(status.paths.store) / "models"
        if not until(lambda: bool(_models(folder)), _TRAINED_S):
            raise UsageError(f"{fault.target} has trained no model yet.", f"There is none in {folder}.")
        file = _models(folder)[-1]
        port = next(engine.port for engine in status.wanted if engine.name == fault.target)
        facts: dict[str, str | int | float] = {"file": str(file), "host": status.host, "port": port}
        undo = Undo(fault=fault.id, kind=fault.kind, target=fault.target, facts=facts)
        journal.begin(undo)
        _keep(file)
        at = time.monotonic_ns()
        place = turn(file)
        door = Door(status.host, port)
        seen = until(lambda: door.check() == "fail", _SEEN_S)
        code, said = door.get(_ASKED)
        refused = code >= http.client.BAD_REQUEST and file.name in said
        words = (
            f"byte {place} of {file.name} turned; its check is {door.check()}; asked for a forecast {TARGET} answers "
        )
        return Done(at, seen and refused, f"{words}{code}, {'naming the file' if refused else said[:100]}", undo)

    def heal(self, undo: Undo, journal: UndoJournal) -> Done:
        """Put the kept file back, and see the engine take it."""
        file = Path(str(undo.facts["file"]))
        at = time.monotonic_ns()
        kept = file.with_name(file.name + _KEPT)
        if kept.exists():
            kept.replace(file)
        if not file.exists():
            journal.done(undo)
            return Done(at, True, f"{file} is gone, and its fleet with it")
        door = Door(str(undo.facts["host"]), int(undo.facts["port"]))
        until(lambda: door.check() in ("ok", _NOBODY), _SEEN_S)
        check, good = door.check(), whole(file)
        proven = good and check in ("ok", _NOBODY)
        if proven:
            journal.done(undo)
        answers = "does not run" if check == _NOBODY else f"says that its check is {check}"
        return Done(at, proven, f"{file.name} is {'whole' if good else 'damaged'}; {undo.target} {answers}")


KIND = CorruptModel()


def turn(file: Path) -> int:
    """Complement the byte in the middle of a file, durably; returns its place."""
    place = file.stat().st_size // 2
    with file.open("r+b") as opened:
        opened.seek(place)
        byte = opened.read(1)[0]
        opened.seek(place)
        opened.write(bytes([255 - byte]))
        opened.flush()
        os.fsync(opened.fileno())
    return place


def whole(file: Path) -> bool:
    """Whether a model's file is the one whose sha256 lies beside it."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest() == file.with_suffix(".sha256").read_text("ascii")
    except FileNotFoundError:
        return False


def _models(folder: Path) -> list[Path]:
    """The files of models that are whole, the newest last."""
    found = [path for path in folder.glob("*.json") if whole(path)]
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)


def _keep(file: Path) -> None:
    """A copy beside it, whole or not there at all."""
    draft = file.with_name(file.name + ".keeping")
    with draft.open("wb") as opened:
        opened.write(file.read_bytes())
        opened.flush()
        os.fsync(opened.fileno())
    draft.replace(file.with_name(file.name + _KEPT))
