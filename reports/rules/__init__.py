"""What a run can be judged by: every criterion by its id."""

from reports.rules import (
    backtests,
    bus,
    busbench,
    data,
    drills,
    faults,
    fleet,
    hardware,
    invariants,
    load,
    market,
    shedding,
    soak,
    testimony,
)
from reports.rules.rule import Rule

RULES: dict[str, Rule] = {
    **fleet.RULES,
    **load.RULES,
    **shedding.RULES,
    **bus.RULES,
    **market.RULES,
    **invariants.RULES,
    **faults.RULES,
    **data.RULES,
    **backtests.RULES,
    **drills.RULES,
    **testimony.RULES,
    **hardware.RULES,
    **busbench.RULES,
    **soak.RULES,
}

DOCUMENTED: dict[str, str] = {
    "availability": "Engine availability",
    "normal-response": "Normal response time",
    "engines-alive": "Flash-crash resilience",
    "bus-rate": "Message bus throughput",
    "data-sources": "External data sources connected",
    "hardware": "Hardware acceleration active on key engines",
    "hft": "High-frequency trading under extreme load",
}
"""The seven criteria of the documented report; those that a mission does not measure are listed as such."""
