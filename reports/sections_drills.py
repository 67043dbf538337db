"""The section about drills."""

from reports import sections_operations, show
from reports.figures import Figures
from reports.history import History
from reports.measures.drills import reached
from reports.model import Block, Claim, Section, Table
from reports.records import KillSwitch, ReverseStep, ReverseStress, StartAccount, StartState


def drills(history: History, figures: Figures) -> tuple[Section, ...]:
    """Starting states, kill switches, reverse stresses; none for a run without them."""
    blocks: list[Block] = []
    states = history.of(StartState)
    if states:
        rows = tuple(
            (each.phase, each.item, f"{each.wanted:g}", show.UNKNOWN if each.got is None else f"{each.got:g}",
             "yes" if reached(each) else "no")
            for each in states
        )  # fmt: skip
        blocks.append(Table(("Phase", "Starting state", "Wanted", "Got", "Reached"), rows))
    for account in history.of(StartAccount):
        words = (
            "Phase {phase}: the account began with {cash} of cash; with its positions taken its equity was {equity}, "
            "their maintenance margin {maintenance}, a use of {use_percent}."
        )
        slots = {n: figures[f"start.{account.phase}.{n}"] for n in ("cash", "equity", "maintenance", "use_percent")}
        blocks.append(Claim(words, {"phase": account.phase, **slots}))
    for drill in history.of(KillSwitch):
        names = ("open_orders", "positions", "exposure", "orders_gone_s", "flat_s", "residual")
        words = (
            "Phase {phase}: the kill switch was thrown over {open_orders} and {positions}, {exposure} in all; the "
            "orders were gone after {orders_gone_s}, the strategies flat after {flat_s}, with {residual} left."
        )
        slots = {name: figures[f"killswitch.{drill.phase}.{name}"] for name in names}
        blocks.append(Claim(words, {"phase": drill.phase, **slots}))
        blocks += sections_operations.hops(history, figures, drill)
    for searched in history.of(ReverseStress):
        prefix = f"reverse.{searched.phase}"
        words = (
            "Phase {phase}: with {exposure} held, a fall of {fall} reaches the loss limit and one of {held} does not; "
            "in closed form it is {closed}, so they are {apart} apart at a resolution of {resolution}."
        )
        parts = {
            name: figures[f"{prefix}.{name}_percent"] for name in ("fall", "held", "closed", "apart", "resolution")
        }
        blocks.append(Claim(words, {"phase": searched.phase, "exposure": figures[f"{prefix}.exposure"], **parts}))
        steps = [step for step in history.of(ReverseStep) if step.phase == searched.phase]
        lines = tuple(
            (str(step.number), f"{100 * step.fall:.4f}", f"{step.loss:,.2f}", "yes" if step.breaches else "no")
            for step in steps
        )
        blocks.append(Table(("Step", "Fall %", "Loss", "Reaches the limit"), lines))
    return (Section("Drills", tuple(blocks)),) if blocks else ()
