"""A mission's plan as it is shown."""

from nautilus_cli.console import Block
from nautilus_cli.table import Column, Table
from nautilus_cli.words import duration, number
from stress.plan import MissionPlan, TapePlan


def plan_blocks(plan: MissionPlan) -> tuple[Block, ...]:
    """Phases and facts, then for each day its pins and what would speak against them."""
    phases = Table(
        (Column("phase"), Column("about", True), Column("what happens")),
        [(phase.name, duration(phase.seconds), phase.what) for phase in plan.phases],
    )
    length = " (quick)" if plan.quick else " (full)" if plan.full else ""
    facts = {
        "Mission": f"{plan.mission}: {plan.title}{length}, seed {plan.seed}",
        "Takes": f"about {duration(plan.seconds)}, {plan.disk_mb:.0f} MB",
        "Expected halts": ", ".join(plan.expected_halts) or "none",
    }
    return _lines(facts), "", phases, *(block for tape in plan.tapes for block in _tape(tape))


def _tape(tape: TapePlan) -> tuple[Block, ...]:
    day = tape.scenario
    halts = [f"{halt.kind} {halt.symbol} {halt.start:%H:%M:%S}-{halt.end:%H:%M:%S}" for halt in day.halts]
    facts = {
        "Scenario": f"{day.name}, {day.date}, {tape.connections:,} connections",
        "Rulebook": "; ".join(f"{rule.name} ({rule.confidence})" for rule in day.rulebook),
        "By the rulebook": ", ".join(halts) or "no halt",
        "Conflicts": "; ".join(day.conflicts) or "none",
    }
    pins = Table(
        (Column("pin"), *(Column(name, True) for name in ("open", "high", "low", "close", "prior close", "volume"))),
        [
            (
                pin.symbol,
                *(number(price, 2) for price in (pin.open, pin.high, pin.low, pin.close, pin.prior_close)),
                number(pin.volume, 0),
            )
            for pin in day.pins
        ],
    )
    return "", _lines(facts), "", pins, *(f"Note: {note}" for note in day.notes)


def _lines(facts: dict[str, str]) -> str:
    width = max(len(name) for name in facts)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in facts.items())
