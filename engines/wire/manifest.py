"""Engine manifests: each folder `engines/<name>/` with an `engine.toml` is an engine; nothing else lists them.

A project (`engines.wire.project`) adds its own: native ones in the same way in its folder `engines`, foreign ones (any
command that answers HTTP) as tables `[engines.<name>]` of its `nautilus.toml`.  A native one with `replaces` takes one
of ours' place: it goes by that engine's name, and what its own manifest does not say is as in that engine's.
"""

import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from engines.wire import project
from engines.wire.errors import ManifestErrors, UnknownName
from engines.wire.health import HealthRule
from engines.wire.messages import TOPICS

ROOT = Path(__file__).resolve().parent.parent
_NATIVE = (
    "name", "package", "consumes", "publishes", "preload", "orders", "stale_s", "alerts", "denials", "replaces",
    "origin",
)  # fmt: skip
_FOREIGN = ("command", "cwd", "env", "pass_env", "health", "stop", "package")
NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one engine may take: resident memory in MB, open files; and `nice`, added to its fleet's: who observes gives
    way to who trades when cores are short.
    """

    memory_mb: int = 1024
    files: int = 4096
    nice: Annotated[int, msgspec.Meta(ge=0, le=19)] = 0


class ServiceLevel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an engine owes once a fault is over: a health report within `answer_ms`, and no message that waited for it
    for longer than `fresh_ms`.
    """

    answer_ms: Annotated[float, msgspec.Meta(gt=0, le=60_000)] = 100.0
    fresh_ms: Annotated[float, msgspec.Meta(gt=0, le=60_000)] = 500.0


class Restart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When it is started again: by which rule, and how many crashes within how many seconds are a crash loop.

    None: the fleet's own number (`engines.fleet.policy.Rules`).
    """

    policy: Literal["always", "on-failure", "never"] = "always"
    crashes: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    window_s: Annotated[float, msgspec.Meta(gt=0, le=86400)] | None = None


class FieldCheck(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A computed value that a reply must hold: the JSON field (dots descend) lies in [low, high]."""

    field: str
    low: float
    high: float


Kind = Literal["number", "string", "boolean", "array", "object", "null"]


class LoadRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request of a load profile.  `weight` is its share within the engine's mix.

    `fields`: what the JSON of its reply has, dotted path and kind.
    """

    mix: Literal["health", "compute"]
    path: str
    weight: int = 1
    method: Literal["GET", "POST"] = "GET"
    body: dict[str, Any] | None = None
    status: int = 200
    check: FieldCheck | None = None
    fields: dict[str, Kind] = {}


class StopRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a foreign engine is stopped: a signal to its process group, SIGKILL after `grace_s` (None: the fleet's)."""

    signal: Literal["TERM", "INT", "QUIT", "HUP", "USR1", "USR2"] = "TERM"
    grace_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] | None = None


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One engine's declaration.  `after`: engines that must be ready first.

    `boot_budget_s`: a boot that takes longer is told loudly; `boot_s`: one that takes longer has failed.
    `orders`: it may have open orders, so it is halted and drained before it is stopped, and restarted by an operator
    only without open ones.  `stale_s`: seconds without a tick that an open session allows before it is degraded.
    `alerts` and `denials`: the kinds of its alerts, the codes with which it refuses orders, as missions name them.
    `replaces`: the engine of ours whose place it takes, in a project's folder; its own `Engine` must have that name.
    With a `command` it is foreign: that command is run in `cwd`, with `env` and the variables named in `pass_env`
    (of the supervisor's environment and of `engines.wire.settings`) and no others but the usual few.  The words
    `{port}`, `{host}` and `{state}` of a command are filled in.
    """

    name: str
    title: str
    port: int
    consumes: tuple[str, ...] = ()
    publishes: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    critical: bool = False
    restart: Literal["always", "on-failure", "never"] | Restart = "always"
    preload: tuple[str, ...] = ()
    boot_s: float = 20.0
    boot_budget_s: float = 5.0
    orders: bool = False
    stale_s: float = 30.0
    alerts: tuple[str, ...] = ()
    denials: tuple[str, ...] = ()
    limits: Limits = Limits()
    level: ServiceLevel = ServiceLevel()
    load: tuple[LoadRequest, ...] = ()
    command: tuple[str, ...] = ()
    cwd: str = ""  # absolute; a relative one in the file is relative to it
    env: dict[str, str] = {}
    pass_env: tuple[str, ...] = ()
    health: HealthRule = HealthRule()
    stop: StopRule = StopRule()
    replaces: str = ""
    package: str = ""  # where its code is when that is not ours; set by `discover`
    origin: str = ""  # the folder of an engine that replaces one of ours; set by `discover`

    @property
    def foreign(self) -> bool:
        """It is somebody else's program."""
        return bool(self.command)

    @property
    def restarting(self) -> Restart:
        """When it is started again, whichever way that was written."""
        return self.restart if isinstance(self.restart, Restart) else Restart(policy=self.restart)


def discover(root: Path | None = None, *, project_of: Path | None = None) -> tuple[Manifest, ...]:
    """All manifests under `root`, in order of port; without a root ours and those of the project (`project_of`, or as
    `engines.wire.project` finds it).

    Raises:
        ManifestErrors: with every mistake in every file, and between them.
        SettingsError: the project's file is not the user's.
    """
    mistakes: list[str] = []
    found = _folders(root or ROOT, mistakes)
    if not found and not mistakes:
        mistakes.append(f"{root or ROOT}: no folder holds an engine.toml")
    place = project_of or (project.find() if root is None else None)
    if place is not None:
        own = _folders(place / project.ENGINES, mistakes, {each.name: each for each in found})
        found = _together(found, own, mistakes)
        found += _foreign(place / project.FILE, mistakes)
    mistakes += _between(found)
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


def _folders(root: Path, mistakes: list[str], ours: Mapping[str, Manifest] | None = None) -> list[Manifest]:
    """The native engines under a folder; with `ours`, those that ship, it is a project's."""
    read = [_read(path, mistakes, ours) for path in sorted(root.glob("*/engine.toml"))]
    return [manifest for manifest in read if manifest is not None]


def _together(ours: Sequence[Manifest], own: Sequence[Manifest], mistakes: list[str]) -> list[Manifest]:
    """Ours whose place nobody takes, and a project's own."""
    taken: dict[str, str] = {}
    kept = []
    for each in own:
        if each.replaces in taken:
            mistakes.append(
                f"{each.package}: replaces: {taken[each.replaces]} takes the place of {each.replaces} already"
            )
            continue
        if each.replaces:
            taken[each.replaces] = each.package
        kept.append(each)
    return [each for each in ours if each.name not in taken] + kept


def _table(path: Path, where: str, mistakes: list[str]) -> dict[str, Any] | None:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        mistakes.append(f"{where}: not TOML: {error}")
    except OSError as error:
        mistakes.append(f"{where}: {error.strerror}")
    return None


def _foreign(path: Path, mistakes: list[str]) -> list[Manifest]:
    """The foreign engines of a `nautilus.toml`."""
    declared = (_table(path, path.name, mistakes) or {}).get("engines", {})
    if not isinstance(declared, dict):
        mistakes.append(f"{path.name}: engines: give each engine a table of its own, [engines.NAME]")
        return []
    found = []
    for name, entry in declared.items():
        where = f"{path.name}: engines.{name}"
        if not isinstance(entry, dict):
            mistakes.append(f"{where}: not a table; did you mean [fleet] engines = [...]?")
            continue
        before = len(mistakes)
        mistakes += [f"{where}: {text}" for text in _foreign_mistakes(name, entry)]
        data = {"title": name, **entry, "name": name}
        try:
            data = _completed(data, path.parent)
        except ValueError as error:
            mistakes.append(f"{where}: command: {error}")
        mistakes += [f"{where}: {text}" for text in _fields(data)]
        if len(mistakes) == before:
            found.append(msgspec.convert(data, Manifest))
    return found


def _foreign_mistakes(name: str, entry: Mapping[str, Any]) -> list[str]:
    mistakes = [] if NAME.fullmatch(name) else ["a name is small letters, digits and dashes, a letter first"]
    if not entry.get("command"):
        mistakes.append("command is missing: what is to be run")
    return mistakes + [f"{key}: a foreign engine has none" for key in _NATIVE if key in entry]


def _completed(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A command in one string is split as a shell would (no shell runs it); what follows from its health is filled in.

    Raises:
        ValueError: a quote is not closed.
    """
    if isinstance(data.get("command"), str):
        data["command"] = shlex.split(data["command"])
    if isinstance(data.get("cwd", ""), str):
        data["cwd"] = str((folder / Path(data.get("cwd", "")).expanduser()).absolute())
    health = data.get("health", {})
    path = health.get("path", "/health") if isinstance(health, dict) else "/health"
    data.setdefault("load", [{"mix": mix, "path": path} for mix in ("health", "compute")])
    return data


def _read(path: Path, mistakes: list[str], ours: Mapping[str, Manifest] | None) -> Manifest | None:
    where, folder = f"{path.parent.name}/{path.name}", path.parent.name
    data = _table(path, where, mistakes)
    if data is None:
        return None
    before = len(mistakes)
    mistakes += [f"{where}: {key}: only for a foreign engine, in nautilus.toml" for key in _FOREIGN if key in data]
    if data.get("name") != folder:
        mistakes.append(f"{where}: name is {data.get('name')!r}, the folder is {folder!r}")
    if "origin" in data:
        mistakes.append(f"{where}: origin: it is where the file lies, so it is not written there")
    if "replaces" in data:
        wrong = _replacing(data["replaces"], ours)
        mistakes += [f"{where}: replaces: {text}" for text in wrong]
        if wrong or ours is None:
            return None  # what it would inherit is not known
        name = data["replaces"]
        data = {**msgspec.to_builtins(ours[name]), **data, "name": name, "origin": str(path.parent.absolute())}
    mistakes += [f"{where}: {text}" for text in _fields(data)]
    if len(mistakes) > before:
        return None
    return msgspec.convert({**data, "package": folder if ours is not None else ""}, Manifest)


def _replacing(name: object, ours: Mapping[str, Manifest] | None) -> list[str]:
    """What is wrong with taking that engine's place."""
    if ours is None:
        return ["only in the engines folder of a project"]
    return [] if name in ours else [str(UnknownName("engine", str(name), ours))]


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
    health = data.get("health", {})
    if isinstance(health, dict) and not str(health.get("path", "/")).startswith("/"):
        mistakes.append(f"health: path: {health['path']!r} does not begin with /")
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
    twice = sorted(name for name in names if sum(m.name == name for m in found) > 1)
    own = {m.name for m in found if m.package and not m.replaces}
    hint = '; to take the place of ours, say replaces = "{}" in its engine.toml'
    mistakes += [f"{name}: two engines have this name{hint.format(name) if name in own else ''}" for name in twice]
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
