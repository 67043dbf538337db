"""What a mission would do: phases, load, disk, pins, rulebook and expected halts.  `--dry-run` prints it."""

import msgspec

from engines.wire import pins as day_pins
from engines.wire import scenario_file
from engines.wire.rulebook import Rulebook, rules
from engines.wire.scenario import Scenario
from engines.wire.ticks import PRICE_SCALE
from stress.mission import Mission
from stress.options import Options

BOOT_S, CLOSE_S, TAIL_S = 4.0, 12.0, 5.0
_DISK_MB_PER_S = 0.5


class PhasePlan(msgspec.Struct, frozen=True):
    """One phase: what happens and for about how long."""

    name: str
    what: str
    seconds: float


class PinPlan(msgspec.Struct, frozen=True):
    """The real bar that a symbol's tape must meet; prices in currency units."""

    symbol: str
    open: float
    high: float
    low: float
    close: float
    prior_close: float
    volume: int | None


class MissionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.plan/1` document."""

    schema: str = "nautilus.plan/1"
    mission: str
    title: str
    scenario: str
    date: str
    seed: int
    quick: bool
    connections: int
    phases: tuple[PhasePlan, ...]
    seconds: float
    disk_mb: float
    rulebook: tuple[str, ...]
    expected_halts: tuple[str, ...]
    pins: tuple[PinPlan, ...]
    conflicts: tuple[str, ...]
    notes: tuple[str, ...]


def scenario_of(mission: Mission, options: Options) -> Scenario:
    """The scenario of a run: `--quick` narrows its measured window."""
    scenario = scenario_file.load(mission.scenario)
    return scenario.quick(mission.quick.window_s) if options.quick else scenario


def phases(mission: Mission, options: Options) -> tuple[PhasePlan, ...]:
    """The phases in their order."""
    scenario = scenario_of(mission, options)
    window = scenario.window
    quick, spec = options.quick, mission.load
    calibrate = mission.quick.calibrate_s if quick else spec.calibrate_s
    return (
        PhasePlan("boot", "thirteen engines, two buses and a store come up", BOOT_S),
        PhasePlan(
            "idle", "health of each engine without load", mission.quick.idle_s if quick else mission.times.idle_s
        ),
        PhasePlan(
            "calibrate",
            f"closed loop, {spec.calibrate_concurrency} outstanding: {', '.join(spec.calibrate_mixes)}",
            (calibrate + CLOSE_S / 4) * len(spec.calibrate_mixes),
        ),
        PhasePlan("before", f"the day until {window.start:%H:%M}, as fast as it is taken", mission.times.lead_s),
        PhasePlan(
            "window",
            f"{window.start:%H:%M:%S}-{window.end:%H:%M:%S} at {window.speed:g}x, {spec.connections} connections",
            window.wall_s,
        ),
        PhasePlan("after", "the rest of the day, then every message drained and counted", TAIL_S),
        PhasePlan("close", "the fleet stops; the records are sealed and rendered", CLOSE_S),
    )


def plan(mission: Mission, options: Options) -> MissionPlan:
    """Everything that is known before a run."""
    scenario = scenario_of(mission, options)
    steps = phases(mission, options)
    seconds = sum(step.seconds for step in steps)
    return MissionPlan(
        mission=mission.name,
        title=mission.title,
        scenario=scenario.name,
        date=scenario.date.isoformat(),
        seed=mission.seed if options.seed is None else options.seed,
        quick=options.quick,
        connections=mission.load.connections,
        phases=steps,
        seconds=round(seconds, 1),
        disk_mb=round(seconds * _DISK_MB_PER_S, 1),
        rulebook=_in_force(rules(scenario.date)),
        expected_halts=tuple(f"{halt.kind} {halt.symbol}" for halt in mission.expect.halts),
        pins=tuple(_pin(pin) for pin in day_pins.pins(scenario)),
        conflicts=day_pins.conflicts(scenario),
        notes=scenario.notes,
    )


def _in_force(book: Rulebook) -> tuple[str, ...]:
    """The rules in force on the day, each with how far it was checked."""
    single = (book.market_wide, book.single_stock, book.luld, book.short_sale)
    found = [rule for rule in (*single, *book.futures_limits, *book.futures_pauses) if rule is not None]
    return tuple(f"{rule.name} ({rule.confidence})" for rule in found)


def _pin(pin: day_pins.Pin) -> PinPlan:
    unit = PRICE_SCALE
    return PinPlan(
        pin.symbol,
        open=pin.open / unit,
        high=pin.high / unit,
        low=pin.low / unit,
        close=pin.close / unit,
        prior_close=pin.prior_close / unit,
        volume=pin.volume,
    )
