"""Engine manifests: each folder `engines/<name>/` with an `engine.toml` is an engine; nothing else lists them."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from engines.wire.errors import ManifestErrors, UnknownName
from engines.wire.messages import TOPICS

ROOT = Path(__file__).resolve().parent.parent


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one engine may take: resident memory in MB, open files."""

    memory_mb: int = 1024
    files: int = 4096


class FieldCheck(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A computed value that a reply must hold: the JSON field (dots descend) lies in [low, high]."""

    field: str
    low: float
    high: float


class LoadRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request of a load profile.  `weight` is its share within the engine's mix."""

    mix: Literal["health", "compute"]
    path: str
    weight: int = 1
    method: Literal["GET", "POST"] = "GET"
    body: dict[str, Any] | None = None
    status: int = 200
    check: FieldCheck | None = None


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One engine's declaration.  `after`: engines that must be ready first; `boot_s`: its boot-time budget."""

    name: str
    title: str
    port: int
    consumes: tuple[str, ...] = ()
    publishes: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    critical: bool = False
    restart: Literal["always", "on-failure", "never"] = "always"
    preload: tuple[str, ...] = ()
    boot_s: float = 20.0
    limits: Limits = Limits()
    load: tuple[LoadRequest, ...] = ()


def discover(root: Path = ROOT) -> tuple[Manifest, ...]:
    """All manifests under `root`, in order of port.

    Raises:
        ManifestErrors: with every mistake in every file, and between them.
    """
    mistakes: list[str] = []
    found: list[Manifest] = []
    for path in sorted(root.glob("*/engine.toml")):
        manifest = _read(path, mistakes)
        if manifest is not None:
            found.append(manifest)
    mistakes += _between(found)
    if not found and not mistakes:
        mistakes.append(f"{root}: no folder holds an engine.toml")
    if mistakes:
        raise ManifestErrors(mistakes)
    return tuple(sorted(found, key=lambda m: m.port))


def pick(manifests: Sequence[Manifest], name: str) -> Manifest:
    """The manifest called `name`.

    Raises:
        UnknownName: with the nearest known engine.
    """
    for manifest in manifests:
        if manifest.name == name:
            return manifest
    raise UnknownName("engine", name, (m.name for m in manifests))


def ranks(manifests: Sequence[Manifest]) -> tuple[tuple[Manifest, ...], ...]:
    """Start order: each rank's engines depend only on former ranks; within a rank they start in parallel."""
    left = {m.name: set(m.after) for m in manifests}
    by_name = {m.name: m for m in manifests}
    order: list[tuple[Manifest, ...]] = []
    while left:
        free = sorted(name for name, needs in left.items() if not needs & left.keys())
        if not free:
            raise ManifestErrors([f"engines wait for each other: {', '.join(sorted(left))}"])
        order.append(tuple(by_name[name] for name in free))
        for name in free:
            del left[name]
    return tuple(order)


def _read(path: Path, mistakes: list[str]) -> Manifest | None:
    where = f"{path.parent.name}/{path.name}"
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        mistakes.append(f"{where}: not TOML: {error}")
        return None
    before = len(mistakes)
    mistakes += [f"{where}: {text}" for text in _fields(data)]
    if data.get("name") != path.parent.name:
        mistakes.append(f"{where}: name is {data.get('name')!r}, the folder is {path.parent.name!r}")
    return msgspec.convert(data, Manifest) if len(mistakes) == before else None


def _fields(data: Mapping[str, Any]) -> list[str]:
    """Every mistake in one manifest's fields."""
    mistakes: list[str] = []
    fields = {field.encode_name: field for field in msgspec.structs.fields(Manifest)}
    for key in data.keys() - fields.keys():
        mistakes.append(str(UnknownName("field", key, fields)))
    for key, field in fields.items():
        if key not in data:
            if field.required:
                mistakes.append(f"{key} is missing")
            continue
        if key == "load" and isinstance(data[key], list):
            mistakes += [m for i, item in enumerate(data[key]) for m in _mistakes(f"load[{i}]", item, LoadRequest)]
            continue
        mistakes += _mistakes(key, data[key], field.type)
    mistakes += _values(data)
    return mistakes


def _mistakes(key: str, value: object, kind: Any) -> list[str]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return [f"{key}: {error}"]
    return []


def _values(data: Mapping[str, Any]) -> list[str]:
    """Mistakes that types do not show."""
    mistakes = []
    port = data.get("port")
    if isinstance(port, int) and not 1024 <= port <= 65535:
        mistakes.append(f"port: {port} is outside 1024..65535")
    for key in ("consumes", "publishes"):
        topics = data.get(key, ())
        for topic in topics if isinstance(topics, list) else ():
            if topic not in TOPICS:
                mistakes.append(f"{key}: {UnknownName('topic', str(topic), TOPICS)}")
    return mistakes


def _between(found: Sequence[Manifest]) -> list[str]:
    """Mistakes between manifests: clashing ports, unknown and circular dependencies."""
    mistakes: list[str] = []
    ports: dict[int, str] = {}
    names = {m.name for m in found}
    for manifest in found:
        if manifest.port in ports:
            mistakes.append(f"{manifest.name}: port {manifest.port} is {ports[manifest.port]}'s")
        ports.setdefault(manifest.port, manifest.name)
        for other in manifest.after:
            if other not in names:
                mistakes.append(f"{manifest.name}: after: {UnknownName('engine', other, names)}")
    if not mistakes:
        try:
            ranks(found)
        except ManifestErrors as error:
            mistakes += error.mistakes
    return mistakes
