"""Criteria of faults and recovery."""

from reports.rules.rule import Rule, figure_of

RULES: dict[str, Rule] = {
    "recovery-complete": Rule("Faults not recovered from", "faults", "equal", 0.0, figure_of("recovery.missing")),
    "faults-proven": Rule(
        "Faults not seen to be injected or healed", "faults", "equal", 0.0, figure_of("faults.unproven"), rig=True
    ),
    "recovery-p95": Rule("Recovery from faults, p95", "s", "at most", 3.0, figure_of("recovery.regain_p95_s")),
    "supervisor-recovery": Rule(
        "Recovery from the supervisor's end", "s", "at most", 6.0, figure_of("recovery.supervisor_worst_s")
    ),
}
