"""A mission: what is done to a fleet, in which order, and what is expected of it.  TOML -> one frozen value.

Loading returns every mistake at once.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from engines.wire import scenario_file
from engines.wire.errors import UnknownName, UsageError
from reports.criteria import DOCUMENTED, RULES

FOLDER = Path(__file__).parent / "missions"

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Share = Annotated[float, Meta(gt=0, le=1)]


class MissionErrors(UsageError):
    """Every mistake in a mission file, at once."""

    def __init__(self, where: str, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        lines = "\n".join(f"  {mistake}" for mistake in mistakes)
        super().__init__(f"{len(mistakes)} mistake{'s' if len(mistakes) != 1 else ''} in {where}:\n{lines}\n")


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a mission file."""


class LoadSpec(_Part, frozen=True, kw_only=True):
    """The load: `mix` names the requests of the manifests; the peak is `share` of the calibrated capacity, and the
    rate follows the tape's stress y as `R_max (floor + (1 - floor) y)`.
    """

    mix: Literal["health", "compute"]
    connections: Annotated[int, Meta(ge=13, le=60_000)]
    share: Share = 0.7
    floor: Share = 0.2
    timeout_s: Seconds = 5.0
    calibrate_s: Seconds = 8.0
    calibrate_concurrency: Annotated[int, Meta(ge=1, le=4096)] = 64
    calibrate_mixes: tuple[Literal["health", "compute"], ...] = ("compute", "health")


class Times(_Part, frozen=True, kw_only=True):
    """Lengths of the phases around the tape.  `lead_s`: from the replay's start to its measured window."""

    idle_s: Seconds = 5.0
    lead_s: Seconds = 15.0
    drain_s: Seconds = 30.0


class Quick(_Part, frozen=True, kw_only=True):
    """What `--quick` changes."""

    window_s: Seconds = 15.0
    calibrate_s: Seconds = 3.0
    idle_s: Seconds = 2.0


class Criterion(_Part, frozen=True, kw_only=True):
    """A criterion by its id; `target` None takes the criterion's own."""

    id: str
    target: float | None = None


class ExpectedHalt(_Part, frozen=True, kw_only=True):
    """A halt that the rulebook of the day gives."""

    kind: Literal["market-wide", "pause"]
    symbol: str
    level: int = 0


class Expected(_Part, frozen=True, kw_only=True):
    """Declared outcomes, checked by set equality."""

    halts: tuple[ExpectedHalt, ...] = ()
    alerts: tuple[str, ...] = ()


class Mission(_Part, frozen=True, kw_only=True):
    """One mission."""

    name: str
    title: str
    summary: str
    scenario: str
    seed: Annotated[int, Meta(ge=0)]
    load: LoadSpec
    criteria: tuple[Criterion, ...]
    times: Times = Times()
    quick: Quick = Quick()
    expect: Expected = Expected()


def names() -> tuple[str, ...]:
    """The missions that come with the product."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load(name_or_path: str) -> Mission:
    """A mission by name, or from a file.

    Raises:
        UnknownName: with the nearest known mission.
        MissionErrors: with every mistake.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        if name_or_path not in names():
            raise UnknownName("mission", name_or_path, names())
        path = FOLDER / f"{name_or_path}.toml"
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"{path} cannot be read.", f"{reason}.", "See the missions: nautilus stress list") from error
    return parse(text, str(path.name))


def parse(text: str, where: str = "the mission") -> Mission:
    """A mission from TOML.

    Raises:
        MissionErrors: with every mistake.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MissionErrors(where, [f"not TOML: {error}"]) from error
    mistakes = _fields(data, Mission, "")
    if not mistakes:
        mission = msgspec.convert(data, Mission)
        mistakes = _meaning(mission)
        if not mistakes:
            return mission
    raise MissionErrors(where, mistakes)


def _fields(data: dict[str, Any], kind: Any, prefix: str) -> list[str]:
    """Every mistake in the fields of a table, tables within it included."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    mistakes = [f"{prefix}{key}: {UnknownName('field', key, fields)}" for key in data if key not in fields]
    for key, field in fields.items():
        if key not in data:
            mistakes += [f"{prefix}{key} is missing"] if field.required else []
        elif isinstance(field.type, type) and issubclass(field.type, _Part) and isinstance(data[key], dict):
            mistakes += _fields(data[key], field.type, f"{prefix}{key}.")
        else:
            try:
                msgspec.convert(data[key], field.type)
            except msgspec.ValidationError as error:
                mistakes.append(f"{prefix}{key}: {error}")
    return mistakes


def _meaning(mission: Mission) -> list[str]:
    """Mistakes that types do not show."""
    mistakes = []
    if mission.scenario not in scenario_file.names():
        mistakes.append(f"scenario: {UnknownName('scenario', mission.scenario, scenario_file.names())}")
    known = {**RULES, **DOCUMENTED}
    mistakes += [f"criteria: {UnknownName('criterion', c.id, known)}" for c in mission.criteria if c.id not in known]
    if not mission.criteria:
        mistakes.append("criteria: a mission without a criterion proves nothing")
    if mission.load.calibrate_concurrency > mission.load.connections:
        mistakes.append("load.calibrate_concurrency: more than load.connections")
    if mission.load.mix not in mission.load.calibrate_mixes:
        mistakes.append(f"load.calibrate_mixes: the mix {mission.load.mix!r} of the load is not calibrated")
    return mistakes
