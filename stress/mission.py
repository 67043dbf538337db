"""A mission: what is done to a fleet, in which order, and what is expected of it.  TOML -> one frozen value.

Loading returns every mistake at once.
"""

import datetime as dt
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from engines.wire import manifest as manifests
from engines.wire import scenario_file
from engines.wire.errors import UnknownName, UsageError
from reports.rules import DOCUMENTED, RULES
from stress import abort, thresholds
from stress.specs import ROLES, AnySpec, varied
from stress.specs.base import Part, Spec
from stress.specs.calibrate import Calibrate
from stress.specs.drill import KillSwitch, ReverseStress
from stress.specs.load import Load
from stress.specs.start import Start
from stress.specs.storm import Storm

FOLDER = Path(__file__).parent / "missions"

P = TypeVar("P", bound=Spec)


class MissionErrors(UsageError):
    """Every mistake in a mission file, at once."""

    def __init__(self, where: str, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        lines = "\n".join(f"  {mistake}" for mistake in mistakes)
        super().__init__(f"{len(mistakes)} mistake{'s' if len(mistakes) != 1 else ''} in {where}:\n{lines}\n")


class Criterion(Part, frozen=True, kw_only=True):
    """A criterion by its id; `target` None takes the criterion's own."""

    id: str
    target: float | None = None


class ExpectedHalt(Part, frozen=True, kw_only=True):
    """A halt that the rulebook of the day gives.  `day` may be left out where the mission has one storm."""

    kind: Literal["market-wide", "pause"]
    symbol: str
    level: int = 0
    day: dt.date | None = None


class Expected(Part, frozen=True, kw_only=True):
    """Declared outcomes, checked by set equality."""

    halts: tuple[ExpectedHalt, ...] = ()
    alerts: tuple[str, ...] = ()  # kinds
    denials: tuple[str, ...] = ()  # codes of orders that risk refused


class Mission(Part, frozen=True, kw_only=True):
    """One mission."""

    name: str
    title: str
    summary: str
    seed: Annotated[int, Meta(ge=0)]
    phases: tuple[AnySpec, ...]
    criteria: tuple[Criterion, ...]
    abort: tuple[str, ...] = ()
    start: Start | None = None
    expect: Expected = Expected()

    def of(self, kind: type[P]) -> tuple[P, ...]:
        """Its phases of one role."""
        return tuple(phase for phase in self.phases if isinstance(phase, kind))

    def varied(self, *, quick: bool = False, full: bool = False) -> "Mission":
        """The mission as `--quick` or `--full` would have it."""
        phases = tuple(varied(phase, phase.quick if quick else phase.full if full else {}) for phase in self.phases)
        return msgspec.structs.replace(self, phases=phases)


def names() -> tuple[str, ...]:
    """The missions that come with the product."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def headline(name: str) -> tuple[str, str]:
    """Title and summary of a mission that comes with the product, without checking the rest of it."""
    data = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
    return str(data["title"]), str(data["summary"])


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
    mistakes += _phases(data.get("phases"))
    if not mistakes:
        mission = msgspec.convert(data, Mission)
        mistakes = _meaning(mission) or _halts(mission)
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
        elif kind is Mission and key == "phases":
            continue  # each role has fields of its own
        elif (part := _part(field.type)) is not None and isinstance(data[key], dict):
            mistakes += _fields(data[key], part, f"{prefix}{key}.")
        else:
            try:
                msgspec.convert(data[key], field.type)
            except msgspec.ValidationError as error:
                mistakes.append(f"{prefix}{key}: {error}")
    return mistakes


def _part(kind: Any) -> type[Part] | None:
    """The table that a field's type is, whether or not it may be left out; None for any other type."""
    kinds = [each for each in getattr(kind, "__args__", (kind,)) if each is not type(None)]
    return kinds[0] if len(kinds) == 1 and isinstance(kinds[0], type) and issubclass(kinds[0], Part) else None


def _phases(tables: object) -> list[str]:
    """Every mistake in the phases' tables."""
    if tables is None:
        return []  # told as missing
    if not isinstance(tables, list) or not tables:
        return ["phases: a mission has one phase at least, each a [[phases]] table"]
    return [mistake for place, table in enumerate(tables) for mistake in _phase(table, f"phases[{place}].")]


def _phase(table: object, prefix: str) -> list[str]:
    """Every mistake in one phase, and in what --quick and --full make of it."""
    if not isinstance(table, dict):
        return [f"{prefix.rstrip('.')}: expected a table"]
    role = table.get("role")
    if role not in ROLES:
        return [f"{prefix}role: {UnknownName('role', str(role), ROLES)}"]
    own = {key: value for key, value in table.items() if key != "role"}
    mistakes = _fields(own, ROLES[role], prefix)
    if mistakes:
        return mistakes
    spec = msgspec.convert(table, ROLES[role])
    own_words = tuple(_own(spec))
    mistakes = [f"{prefix}{words}" for words in own_words]
    for which in ("quick", "full"):
        changes = getattr(spec, which)
        found = _fields({**own, **changes}, ROLES[role], f"{prefix}{which}.") if changes else []
        if changes and not found:
            found = [f"{prefix}{which}.{words}" for words in _own(varied(spec, changes)) if words not in own_words]
        mistakes += found
    return mistakes


def _own(spec: Spec) -> Iterator[str]:
    """What is wrong within a phase that types do not show."""
    found = tuple(spec.mistakes())
    yield from found
    yield from thresholds.mistakes(spec)
    if not found:  # a phase that is wrong has no plan to hold its conditions against
        yield from abort.mistakes(spec.abort, (spec,))


def _meaning(mission: Mission) -> list[str]:
    """Mistakes between the parts."""
    mistakes = []
    known = {**RULES, **DOCUMENTED}
    mistakes += [f"criteria: {UnknownName('criterion', c.id, known)}" for c in mission.criteria if c.id not in known]
    if not mission.criteria:
        mistakes.append("criteria: a mission without a criterion proves nothing")
    mistakes += abort.mistakes(mission.abort, mission.phases)
    mistakes += _start(mission)
    mistakes += _outcomes(mission)
    names = [step.name for phase in mission.phases for step in phase.plan()]
    mistakes += [f"phases: two are called {name!r}; give one a name" for name in _repeated(names)]
    return [*mistakes, *_calibrations(mission)]


def _calibrations(mission: Mission) -> Iterator[str]:
    """A load that is a share of a capacity comes after its calibration, which had the same generator."""
    calibrated: dict[str, Calibrate] = {}
    for place, phase in enumerate(mission.phases):
        if isinstance(phase, Calibrate):
            calibrated |= dict.fromkeys(phase.mixes, phase)
        elif isinstance(phase, Storm) or (isinstance(phase, Load) and phase.unit == "share"):
            found = calibrated.get(phase.mix)
            if found is None:
                field = "mix" if isinstance(phase, Storm) else "unit"
                yield f"phases[{place}].{field}: no calibration of {phase.mix!r} comes before it"
                continue
            if isinstance(phase, Storm) and found.concurrency > phase.connections:
                yield f"phases[{place}].connections: fewer than the calibration's concurrency"
            if found.processes != phase.processes:
                yield f"phases[{place}].processes: {phase.processes}, but {found.processes} in its calibration"


def _outcomes(mission: Mission) -> Iterator[str]:
    """Kinds of alerts and codes of refused orders are some engine's, as its manifest says."""
    engines = manifests.discover()
    alerts = {kind for each in engines for kind in each.alerts}
    denials = {code for each in engines for code in each.denials}
    for field, told, known in (("alerts", mission.expect.alerts, alerts), ("denials", mission.expect.denials, denials)):
        for place, name in enumerate(told):
            if name not in known:
                unknown = UnknownName("kind of alert" if field == "alerts" else "code", name, sorted(known))
                yield f"expect.{field}[{place}]: {unknown} Known: {', '.join(sorted(known))}."


def _start(mission: Mission) -> Iterator[str]:
    """A starting state needs a replay to begin, symbols of it, and a criterion, so that one that is missed shows."""
    if mission.start is None:
        return
    replays = [phase for phase in mission.phases if isinstance(phase, Storm | KillSwitch | ReverseStress)]
    if not replays:
        yield "start: no phase of the mission replays a day (storm, kill-switch, reverse-stress)"
    if "start-state" not in {criterion.id for criterion in mission.criteria}:
        yield "start: name the criterion 'start-state', which says whether it was reached"
    for phase in mission.of(Storm):
        if phase.lead_s < mission.start.lead_s:
            least = mission.start.lead_s
            yield f"start: {phase.title} needs a lead_s of {least:g} at least to take it before its window"
    known = [{each.symbol for each in scenario_file.load(phase.scenario).instruments} for phase in replays]
    yield from mission.start.mistakes(tuple(sorted(set.intersection(*known)) if known else ()))


def _halts(mission: Mission) -> list[str]:
    """Where the declared halts differ from those of the rulebooks of its storms' days."""
    storms, declared = mission.of(Storm), mission.expect.halts
    if not declared and "expected-halts" not in {criterion.id for criterion in mission.criteria}:
        return []
    if len(storms) > 1 and any(halt.day is None for halt in declared):
        return ["expect.halts: several storms; say the day of each halt"]
    from engines.wire.outlook import expected  # here: it reads prices

    days = [scenario_file.load(storm.scenario) for storm in storms]
    dated = bool(declared) and all(halt.day is not None for halt in declared)
    found = Counter(
        (halt.kind, halt.level, halt.symbol, scenario.date if dated else None)
        for scenario in days
        for halt in expected(scenario).halts
    )
    told = Counter((halt.kind, halt.level, halt.symbol, halt.day if dated else None) for halt in declared)
    mistakes = [f"expect.halts: the rulebook gives no {_halt(key)}" for key in (told - found).elements()]
    return mistakes + [f"expect.halts: the rulebook gives {_halt(key)}" for key in (found - told).elements()]


def _halt(key: tuple[str, int, str, dt.date | None]) -> str:
    kind, level, symbol, day = key
    what = f"{kind} halt of {symbol}" + (f" at level {level}" if level else "")
    return what if day is None else f"{what} on {day}"


def _repeated(names: list[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
