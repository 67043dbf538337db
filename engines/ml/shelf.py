"""Trained artefacts on disk: JSON beside its sha256, named after the digest of what it was trained on."""

import hashlib
from pathlib import Path

import msgspec

from engines.ml.card import Card
from engines.ml.forest import Forest
from engines.wire.errors import DataError


class Artefact(msgspec.Struct, frozen=True):
    """A trained forest and its record."""

    digest: str  # of the data and settings
    card: Card
    forest: Forest


def path_of(folder: Path, digest: str) -> Path:
    """Where the artefact of that digest lies."""
    return folder / f"lightgbm-{digest[:16]}.json"


def save(folder: Path, artefact: Artefact) -> Path:
    """Write it; a reader sees the whole file or none."""
    folder.mkdir(parents=True, exist_ok=True)
    path, data = path_of(folder, artefact.digest), msgspec.json.encode(artefact)
    for target, content in (
        (path.with_suffix(".sha256"), hashlib.sha256(data).hexdigest().encode()),
        (path, data),
    ):
        fresh = target.with_name(f"{target.name}.new")
        fresh.write_bytes(content)
        fresh.replace(target)
    return path


def mark(folder: Path, digest: str) -> tuple[int, ...]:
    """What changes when the artefact's file does; empty where there is none."""
    try:
        facts = path_of(folder, digest).stat()
    except FileNotFoundError:
        return ()
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def read(folder: Path, digest: str) -> bytes | None:
    """The bytes of the artefact of that digest; None where there is none.

    Raises:
        DataError: what lies there is not what was written.
    """
    path = path_of(folder, digest)
    try:
        data, stated = path.read_bytes(), path.with_suffix(".sha256").read_text()
    except FileNotFoundError:
        return None
    if hashlib.sha256(data).hexdigest() != stated:
        raise DataError(
            f"{path.name} is refused: its sha256 is not the one that was written beside it.",
            "The file was damaged.",
            "Restore it, or restart ml, which trains again.",
        )
    return data


def load(folder: Path, digest: str) -> Artefact | None:
    """The artefact of that digest; None where there is none.

    Raises:
        DataError: what lies there is not what was written.
    """
    data = read(folder, digest)
    if data is None:
        return None
    artefact = msgspec.json.decode(data, type=Artefact)
    return artefact if artefact.digest == digest else None
