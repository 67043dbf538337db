"""Damaged DuckDB files: how they are told, and how they are set aside so that recording can go on in a new one."""

from pathlib import Path

LOG = ".wal"  # what DuckDB calls its write-ahead log, after the file's own name
_ASIDE = ".damaged-"
_WORDS = ("not a valid DuckDB database", "Corrupt database file", "replaying WAL file", "Could not read enough bytes")


def is_damage(why: str) -> bool:
    """Whether DuckDB speaks of damage: its classes of errors do not tell that from a lock or a full disk."""
    return any(words in why for words in _WORDS)


def set_aside(file: Path) -> Path:
    """Give a file and its log another name, and return it.  Raises OSError."""
    target = file.with_name(f"{file.name}{_ASIDE}{len(aside(file)) + 1}")
    for suffix in ("", LOG):
        source = file.with_name(file.name + suffix)
        if source.exists():
            source.rename(target.with_name(target.name + suffix))
    return target


def aside(file: Path) -> list[str]:
    """The names of damaged files that were set aside, oldest first."""
    found = [path.name for path in file.parent.glob(f"{file.name}{_ASIDE}*") if not path.name.endswith(LOG)]
    return sorted(found, key=lambda name: (len(name), name))
