"""The sealed manifest of a run folder: a SHA-256 of every raw record file and of the results derived from them."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from reports.errors import ReportError
from reports.records import HISTORY

MANIFEST = "MANIFEST.sha256.json"
SAMPLES = "samples.parquet"
LATENCY = "latency"
RESULTS_GLOB = "*results*.json"


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """SHA-256 in hexadecimal by path relative to the run folder."""

    schema: str = "nautilus.manifest/1"
    raw: dict[str, str]
    derived: dict[str, str]


def raw_files(folder: Path) -> list[Path]:
    """The record files that are there, in a fixed order."""
    candidates = [folder / HISTORY, folder / SAMPLES, *sorted((folder / LATENCY).glob("*.hlog"))]
    return [path for path in candidates if path.is_file()]


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each record file, by its path relative to the run folder."""
    return {_name(folder, path): digest(path) for path in raw_files(folder)}


def seal(folder: Path) -> Path:
    """Write the manifest of what the folder now holds, at once or not at all. Raises ReportError without a history."""
    if not (folder / HISTORY).is_file():
        raise ReportError(f"Cannot seal {folder.name}.", f"It holds no {HISTORY}.", "Run the mission again.")
    manifest = Manifest(
        raw=digests(folder),
        derived={_name(folder, path): digest(path) for path in sorted(folder.glob(RESULTS_GLOB))},
    )
    target = folder / MANIFEST
    draft = target.with_suffix(".tmp")
    with draft.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)
    _sync_folder(folder)
    return target


def read(folder: Path) -> Manifest | None:
    """The manifest, or None when the run was never sealed. Raises msgspec.DecodeError when it is no manifest."""
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None


def differences(folder: Path, manifest: Manifest, records: Mapping[str, str] | None = None) -> list[str]:
    """Where the folder and the manifest differ, in words; ``records``: the digests of the records, when known.

    Results rendered after the sealing are not in the manifest, and are checked by computing them again.  A name that
    is none of a run folder's files counts as missing: no manifest makes anyone read elsewhere.
    """
    there = dict(digests(folder) if records is None else records)
    words = [f"{name}: not in the seal" for name in there if name not in manifest.raw]
    there |= {_name(folder, path): digest(path) for path in folder.glob(RESULTS_GLOB) if path.is_file()}
    for name, expected in (manifest.raw | manifest.derived).items():
        if name not in there:
            words.append(f"{name}: sealed, but missing")
        elif there[name] != expected:
            words.append(f"{name}: differs from the seal")
    return words


def links(folder: Path) -> list[str]:
    """Symbolic links among a run folder's files: what lies elsewhere is no part of a run."""
    return sorted(_name(folder, path) for path in folder.rglob("*") if path.is_symlink())


def _name(folder: Path, path: Path) -> str:
    """The path within the folder; bytes of a name that are no UTF-8 become question marks."""
    return path.relative_to(folder).as_posix().encode("utf-8", "replace").decode()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
