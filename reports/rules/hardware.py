"""Criteria of the machine: accelerators in use, and what watching it costs."""

from reports.rules.rule import Case, Measured, Rule, figure_of


def _accelerated(case: Case) -> Measured:
    """Of the engines that choose their device by measurement, those on an accelerator that is faster.

    Compiled code on the processor is no accelerator: where the machine has none, that is what the host lacks.
    """
    names = ("engines_accelerated", "engines_routed", "engines_compiled", "accelerators")
    active, routed, compiled, present = figures = tuple(case.figures[f"hardware.{name}"] for name in names)
    if any(figure.number is None for figure in figures):
        return Measured(None, figures)
    lacking = ""
    if not present.number:
        known = f"compiled code on the processor is in use by {compiled.value} of {routed.value}"
        lacking = f"no GPU or Neural Engine here; {known}" if compiled.number else "no GPU or Neural Engine here"
    return Measured(active.number, figures, target=routed.number, lacking=lacking)


RULES: dict[str, Rule] = {
    "hardware": Rule(
        "Hardware acceleration active on key engines", "engines", "at least", None, _accelerated, "hardware"
    ),
    "sampler-overhead": Rule(
        "Share of a core that the sampler takes", "%", "at most", 1.0, figure_of("sampler.cpu_median_percent"),
        rig=True,
    ),
}  # fmt: skip
