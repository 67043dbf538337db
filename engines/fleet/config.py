"""Settings of the operator's side: flags > environment > the project's `nautilus.toml` > the user's file > defaults.

Flags are the command line's own business; it takes what stands here as its defaults.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from engines.fleet.policy import Rules
from engines.fleet.spec import FleetSpec, Notify
from engines.wire import project
from engines.wire.errors import ManifestErrors, SettingsError, UnknownName
from engines.wire.settings import DEFAULT_FLEET, home

DEFAULT = "default"
Words = tuple[str, ...]


class ConfigErrors(SettingsError):
    """Every mistake in the configuration, at once."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        lines = "\n".join(f"  {mistake}" for mistake in mistakes)
        count = f"{len(mistakes)} mistake{'s' if len(mistakes) != 1 else ''}"
        super().__init__(f"{count} in the configuration:\n{lines}\n", "", "See what is in force: nautilus config show")


class Setting(NamedTuple):
    """One setting: `table.name`, what it may be, and the variable that overrides the files."""

    key: str
    kind: Any  # a type that msgspec converts to
    default: object
    variable: str = ""


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """A setting in force.  `origin`: `default`, `environment NAME`, or the file that says so."""

    key: str
    value: Any
    origin: str


def _rule(kind: Any) -> Any:
    return Annotated[int, Meta(ge=1, le=1_000_000)] if kind is int else Annotated[float, Meta(gt=0, le=86_400)]


SETTINGS = (
    Setting("fleet.name", str, DEFAULT_FLEET, "NAUTILUS_FLEET"),
    Setting("fleet.home", Path, None, "NAUTILUS_HOME"),
    Setting("fleet.host", str, "127.0.0.1", "NAUTILUS_HOST"),
    Setting("fleet.port_offset", Annotated[int, Meta(ge=0, le=50_000)], 0, "NAUTILUS_PORT_OFFSET"),
    Setting("fleet.engines", Words, None),
    Setting("fleet.launch", Literal["auto", "zygote", "spawn"], "auto", "NAUTILUS_LAUNCH"),
    Setting("fleet.nice", Annotated[int, Meta(ge=0, le=19)], 0),
    *(Setting(f"rules.{f.name}", _rule(f.type), f.default) for f in msgspec.structs.fields(Rules)),
    Setting("control.listen", str, "", "NAUTILUS_CONTROL_LISTEN"),
    Setting("notify.command", Words, ()),
    Setting("notify.on", tuple[Literal["crashed", "failed", "degraded", "ready"], ...], Notify().on),
    Setting("stress.runs", Path, Path("runs"), "NAUTILUS_RUNS"),
)
_ELSEWHERE = "engines"  # read by `engines.wire.manifest`


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All settings in force, in the order of `SETTINGS`.  `project`: the folder of the project, if there is one."""

    values: tuple[Value, ...]
    project: Path | None

    def get(self, key: str) -> Any:
        """The value of a setting."""
        return next(value.value for value in self.values if value.key == key)

    def given(self, key: str) -> Any:
        """The value of a setting, None where nobody says anything."""
        return next((value.value for value in self.values if value.key == key and value.origin != DEFAULT), None)

    @property
    def rules(self) -> Rules:
        """The numbers of supervision."""
        named = {v.key.partition(".")[2]: v.value for v in self.values if v.key.startswith("rules.")}
        return Rules(**named)


def load(env: Mapping[str, str] = os.environ, start: Path | None = None, *, engines: bool = False) -> Config:
    """What is in force without flags.  `engines`: manifests are read too, for their mistakes.

    Raises:
        ConfigErrors: with every mistake in every file and variable.
        SettingsError: the project's file is not the user's.
    """
    mistakes: list[str] = []
    place, user = project.find(env, start), project.user_file(env)
    if env.get(project.VARIABLE) and place is None:
        mistakes.append(f"{project.VARIABLE}={env[project.VARIABLE]}: there is no {project.FILE}")
    files = [path for path in (place / project.FILE if place else None, user) if path is not None]
    said = {path: _read(path, path == user, mistakes) for path in files}
    values = tuple(_in_force(setting, env, said, mistakes) for setting in SETTINGS)
    if place is not None and (mistakes or engines):
        mistakes += _engines_mistakes(place)
    if mistakes:
        raise ConfigErrors(list(dict.fromkeys(mistakes)))
    return Config(values=values, project=place)


def spec(config: Config, **flags: Any) -> FleetSpec:
    """The fleet that is configured, as flags change it; a flag that is None says nothing."""
    asked: dict[str, Any] = {
        "name": config.get("fleet.name"),
        "engines": config.get("fleet.engines"),
        "host": config.get("fleet.host"),
        "port_offset": config.get("fleet.port_offset"),
        "launch": config.get("fleet.launch"),
        "nice": config.get("fleet.nice"),
        "rules": config.rules,
        "listen": config.get("control.listen"),
        "notify": Notify(command=config.get("notify.command"), on=config.get("notify.on")),
    }
    return FleetSpec(**{**asked, **{name: value for name, value in flags.items() if value is not None}})


def _in_force(setting: Setting, env: Mapping[str, str], said: dict[Path, dict[str, Any]], mistakes: list[str]) -> Value:
    table, _, name = setting.key.partition(".")
    if setting.variable and env.get(setting.variable):
        value = _converted(env[setting.variable], setting.kind, f"{setting.variable}", mistakes, Path.cwd(), text=True)
        return Value(key=setting.key, value=value, origin=f"environment {setting.variable}")
    found = Value(key=setting.key, value=_default(setting, env), origin=DEFAULT)
    for path, data in reversed(said.items()):  # the project's file has the last word; mistakes of both are found
        part = data.get(table)
        if isinstance(part, dict) and name in part:
            value = _converted(part[name], setting.kind, f"{path}: {setting.key}", mistakes, path.parent)
            found = Value(key=setting.key, value=value, origin=str(path))
    return found


def _default(setting: Setting, env: Mapping[str, str]) -> object:
    return home(env) if setting.key == "fleet.home" else setting.default


def _converted(
    value: object, kind: Any, where: str, mistakes: list[str], folder: Path, *, text: bool = False
) -> object:
    """A value of a file, or with `text` of a variable.  Relative paths are relative to the file."""
    try:
        if kind is Path:
            return (folder / Path(msgspec.convert(value, str)).expanduser()).absolute()
        return msgspec.convert(value, kind, strict=not text)
    except msgspec.ValidationError as error:
        mistakes.append(f"{where}: {error}")
        return None


def _read(path: Path, is_users: bool, mistakes: list[str]) -> dict[str, Any]:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        mistakes.append(f"{path}: not TOML: {error}")
        return {}
    except OSError as error:
        mistakes.append(f"{path}: {error.strerror}")
        return {}
    tables: dict[str, list[str]] = {}
    for setting in SETTINGS:
        table, _, name = setting.key.partition(".")
        tables.setdefault(table, []).append(name)
    for key, part in data.items():
        if key == _ELSEWHERE:
            if is_users:
                mistakes.append(f"{path}: engines: they belong into a project's {project.FILE}")
        elif key not in tables:
            mistakes.append(f"{path}: {UnknownName('table', key, [*tables, _ELSEWHERE])}")
        elif not isinstance(part, dict):
            mistakes.append(f"{path}: {key}: not a table; write [{key}]")
        else:
            unknown = [name for name in part if name not in tables[key]]
            mistakes += [f"{path}: {key}: {UnknownName('setting', name, tables[key])}" for name in unknown]
    return data


def _engines_mistakes(place: Path) -> list[str]:
    """The mistakes of the project's engines, as `discover` finds them."""
    from engines.wire import manifest

    try:
        manifest.discover(project_of=place)
    except ManifestErrors as error:
        return list(error.mistakes)
    return []
