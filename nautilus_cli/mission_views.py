"""A mission's plan as it is shown."""

from nautilus_cli.console import Block
from nautilus_cli.table import Column, Table
from nautilus_cli.words import duration, number
from stress.plan import MissionPlan


def plan_blocks(plan: MissionPlan) -> tuple[Block, ...]:
    """Phases, facts, pins, and what would speak against them."""
    phases = Table(
        (Column("phase"), Column("about", True), Column("what happens")),
        [(phase.name, duration(phase.seconds), phase.what) for phase in plan.phases],
    )
    pins = Table(
        (Column("pin"), *(Column(name, True) for name in ("open", "high", "low", "close", "prior close", "volume"))),
        [
            (
                pin.symbol,
                *(number(price, 2) for price in (pin.open, pin.high, pin.low, pin.close, pin.prior_close)),
                number(pin.volume, 0),
            )
            for pin in plan.pins
        ],
    )
    facts = {
        "Mission": f"{plan.mission}: {plan.title}{' (quick)' if plan.quick else ''}",
        "Scenario": f"{plan.scenario}, {plan.date}, seed {plan.seed}",
        "Takes": f"about {duration(plan.seconds)}, {plan.disk_mb:.0f} MB, {plan.connections:,} connections",
        "Rulebook": "; ".join(plan.rulebook),
        "Expected halts": ", ".join(plan.expected_halts) or "none",
        "Conflicts": "; ".join(plan.conflicts) or "none",
    }
    width = max(len(name) for name in facts)
    lines = [f"{name:<{width}}  {text}" for name, text in facts.items()]
    return "\n".join(lines), "", phases, "", pins, *(f"Note: {note}" for note in plan.notes)
