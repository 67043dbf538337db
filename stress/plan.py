"""What a mission would do: phases, load, disk, pins, rulebook and expected halts.  `--dry-run` prints it."""

import msgspec

from engines.wire import pins as day_pins
from engines.wire.rulebook import Rulebook, rules
from engines.wire.ticks import PRICE_SCALE
from stress.mission import Mission
from stress.options import Options
from stress.phase_specs import BOOT_S, CLOSE_S, PhasePlan, Storm

_DISK_MB_PER_S = 0.5


class PinPlan(msgspec.Struct, frozen=True):
    """The real bar that a symbol's tape must meet; prices in currency units."""

    symbol: str
    open: float
    high: float
    low: float
    close: float
    prior_close: float
    volume: int | None


class TapePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One day that is replayed, and the load beside it."""

    scenario: str
    date: str
    connections: int
    rulebook: tuple[str, ...]
    pins: tuple[PinPlan, ...]
    conflicts: tuple[str, ...]
    notes: tuple[str, ...]


class MissionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.plan/1` document."""

    schema: str = "nautilus.plan/1"
    mission: str
    title: str
    seed: int
    quick: bool
    phases: tuple[PhasePlan, ...]
    seconds: float
    disk_mb: float
    expected_halts: tuple[str, ...]
    tapes: tuple[TapePlan, ...]


def steps(mission: Mission) -> tuple[PhasePlan, ...]:
    """What happens, in order."""
    return (
        PhasePlan("boot", "thirteen engines, two buses and a store come up", BOOT_S),
        *(step for phase in mission.phases for step in phase.plan()),
        PhasePlan("close", "the fleet stops; the records are sealed and rendered", CLOSE_S),
    )


def plan(mission: Mission, options: Options) -> MissionPlan:
    """Everything that is known before a run."""
    varied = mission.varied(quick=options.quick, full=options.full)
    found = steps(varied)
    seconds = sum(step.seconds for step in found)
    return MissionPlan(
        mission=mission.name,
        title=mission.title,
        seed=mission.seed if options.seed is None else options.seed,
        quick=options.quick,
        phases=found,
        seconds=round(seconds, 1),
        disk_mb=round(seconds * _DISK_MB_PER_S, 1),
        expected_halts=tuple(f"{halt.kind} {halt.symbol}" for halt in mission.expect.halts),
        tapes=tuple(_tape(storm) for storm in varied.of(Storm)),
    )


def _tape(storm: Storm) -> TapePlan:
    scenario = storm.tape()
    return TapePlan(
        scenario=scenario.name,
        date=scenario.date.isoformat(),
        connections=storm.connections,
        rulebook=_in_force(rules(scenario.date)),
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
