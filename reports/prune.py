"""What to delete when a disk fills: a plan first, as a value; then the deletion of what it names, and of nothing else.

A run that is being written is never in a plan: one without a seal whose files were touched a short while ago.
"""

import shutil
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reports.errors import ReportError
from reports.records import HISTORY
from reports.seal import MANIFEST

Kind = Literal["run", "log", "crash", "cache", "store"]
RECENT_S = 900.0
"""A run without a seal that was touched within so many seconds is taken for one that is being written."""


@dataclass(frozen=True)
class Item:
    """A file or folder that may be deleted whole. ``at``: Unix seconds of its last change, of a run's last record;
    ``spared``: why it must stay, empty when it need not.
    """

    kind: Kind
    path: Path
    bytes: int
    at: float
    spared: str = ""


@dataclass(frozen=True)
class Quota:
    """How much may stay: the newest so many, so many bytes in all, and nothing older; None: no such limit."""

    keep: int | None = None
    bytes: int | None = None
    older_than_s: float | None = None

    @property
    def empty(self) -> bool:
        """No limit at all, which deletes nothing."""
        return self.keep is None and self.bytes is None and self.older_than_s is None


@dataclass(frozen=True)
class Plan:
    """``remove``, oldest first; ``spared`` would have gone, but must stay."""

    remove: tuple[Item, ...]
    keep: tuple[Item, ...]
    spared: tuple[Item, ...]

    @property
    def freed(self) -> int:
        """Bytes that the deletion gives back."""
        return sum(item.bytes for item in self.remove)


def plan(items: Iterable[Item], quota: Quota, now: float) -> Plan:
    """Pure: the oldest go first. What must stay counts towards the quota all the same."""
    newest = sorted(items, key=lambda item: (-item.at, str(item.path)))
    excess: set[Path] = set()
    total = sum(item.bytes for item in newest)
    for place, item in reversed(list(enumerate(newest))):
        old = quota.older_than_s is not None and now - item.at > quota.older_than_s
        many = quota.keep is not None and place >= quota.keep
        big = quota.bytes is not None and total > quota.bytes
        if old or many or big:
            excess.add(item.path)
            total -= 0 if item.spared else item.bytes
    gone = [item for item in reversed(newest) if item.path in excess]
    return Plan(
        tuple(item for item in gone if not item.spared),
        tuple(item for item in newest if item.path not in excess),
        tuple(item for item in gone if item.spared),
    )


def together(plans: Iterable[Plan]) -> Plan:
    """Several plans as one."""
    found = list(plans)
    return Plan(
        tuple(item for each in found for item in each.remove),
        tuple(item for each in found for item in each.keep),
        tuple(item for each in found for item in each.spared),
    )


def runs_in(root: Path, now: float) -> list[Item]:
    """The run folders below ``root``; links and folders without a history are none."""
    if not root.is_dir():
        return []
    found = [path for path in root.iterdir() if not path.is_symlink() and (path / HISTORY).is_file()]
    return [_run(path, now) for path in found]


def _run(path: Path, now: float) -> Item:
    size, touched = measure(path)
    writing = not (path / MANIFEST).is_file() and now - touched < RECENT_S
    spared = "it may still be written: it has no seal and was touched a short while ago" if writing else ""
    return Item("run", path, size, (path / HISTORY).stat().st_mtime, spared)


def children(kind: Kind, folder: Path, pattern: str, spared: str = "") -> list[Item]:
    """An item for each match of ``pattern`` in a folder, links left out."""
    found = [path for path in sorted(folder.glob(pattern)) if not path.is_symlink()]
    return [Item(kind, path, *measure(path), spared) for path in found]


def measure(path: Path) -> tuple[int, float]:
    """Bytes of a file or of all files in a folder, and Unix seconds of the newest change; links are not followed."""
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    size, at = 0, 0.0
    for file in files:
        try:
            facts = file.lstat()
        except FileNotFoundError:  # gone meanwhile
            continue
        size += 0 if stat.S_ISDIR(facts.st_mode) else facts.st_size
        at = max(at, facts.st_mtime)
    return size, at


def carry_out(wanted: Plan) -> None:
    """Delete what the plan removes; what is gone already is no failure. Raises ReportError when something stays."""
    for item in wanted.remove:
        try:
            if item.path.is_dir() and not item.path.is_symlink():
                shutil.rmtree(item.path)
            else:
                item.path.unlink(missing_ok=True)
        except FileNotFoundError:  # someone else has deleted it
            continue
        except OSError as error:
            why = f"{error.strerror or type(error).__name__}."
            raise ReportError(f"Cannot delete {item.path}.", why, "Make it yours, and prune again.") from error
