"""A start as it is shown: what is under way, what took long, and afterwards what its length hung on."""

from engines.fleet.boot import Step, critical_chain
from engines.fleet.status import Event, FleetStatus
from nautilus_cli import views
from nautilus_cli.console import Block, Console, Meter
from nautilus_cli.table import Cell, Column, Table, Tone
from nautilus_cli.words import count, duration

LONG_S = 1.0  # a module's warm-up worth a word of its own
FIRST_S = 3.0  # all modules' warm-up that is worth one
ZYGOTE = "zygote"  # in a boot's timeline: what all engines are forked from


class Follower:
    """Hears the events of a start: trouble is said, all else moves the meter."""

    def __init__(self, console: Console, meter: Meter) -> None:
        self._console, self._meter = console, meter
        self._waiting: dict[str, None] = {}  # units that are not ready, in the order in which they began
        self._said: set[str] = set()
        self._warming: Event | None = None

    def __call__(self, event: Event) -> None:
        """One event."""
        self._warm(event)
        step = event.kind == "phase" and event.of > 0
        if event.detail and not step and (event.state in views.UNWELL or event.kind != "unit"):
            self._once(" ".join(part for part in (event.name, event.state) if part) + f": {event.detail}")
        if event.kind == "unit" and event.state == "ready":
            self._waiting.pop(event.name, None)
        elif event.kind == "unit":
            self._waiting[event.name] = None
        note = f"{event.ready}/{event.total} ready, {event.elapsed_s:.1f} s"
        if self._warming is not None:
            at = self._warming
            self._meter.update(
                f"warming: {at.detail}", at.done, at.of, f"{at.done}/{at.of} warm, {event.elapsed_s:.1f} s"
            )
        else:
            text = f"waiting for: {', '.join(self._waiting)}" if self._waiting else ""
            self._meter.update(text, event.ready, event.total, note)

    def _warm(self, event: Event) -> None:
        """Modules are loaded and their kernels warmed one after the other; each ends where the next begins."""
        step = event.kind == "phase" and event.of > 0
        if step and self._warming is not None:
            took = event.elapsed_s - self._warming.elapsed_s
            if took >= LONG_S:
                self._console.say(f"Warmed {self._warming.detail} in {duration(took)}.")
        if step or (event.state == "ready" and not event.name.startswith("bus-")):
            self._warming = event if step else None

    def _once(self, text: str) -> None:
        """A crash loop says the same again and again."""
        if text not in self._said:
            self._said.add(text)
            self._console.say(text)


def warmed(now: FleetStatus) -> str:
    """A word on a start that spent its time on warming, as a first one does; empty for any other."""
    took = next((step.own_s for step in now.boot if step.name == ZYGOTE), None)
    if took is None or took < FIRST_S:
        return ""
    return f"Loading and warming took {duration(took)}; compiled kernels are kept for the next start."


def explanation(now: FleetStatus) -> tuple[Block, ...]:
    """The critical chain of the last boot, and every unit's own time, longest first."""
    chain = critical_chain(now.boot)
    if not chain:
        return ("No unit has become ready yet: there is no boot to explain.",)
    last = chain[-1]
    head = f"The boot took {duration(last.ready_s)}; it ended with {last.name}.  Each of these released the next."
    missing = [engine.name for engine in now.wanted if engine.state not in views.UP]
    rest = sorted((step for step in now.boot if step not in chain and step.own_s is not None), key=_own, reverse=True)
    blocks: list[Block] = [head, "", _steps(chain)]
    if rest:
        blocks += ["", f"Not on the chain, {count(len(rest), 'unit')}:", "", _steps(rest)]
    if missing:
        blocks += ["", f"Not ready, and so not in it: {', '.join(missing)}.  Next: nautilus why {missing[0]}"]
    return tuple(blocks)


def _own(step: Step) -> float:
    return step.own_s or 0.0


def _steps(steps: tuple[Step, ...] | list[Step]) -> Table:
    columns = (
        Column("unit"), Column("ready at", True), Column("own time", True), Column("waited", True),
        Column("budget", True), Column("note"),
    )  # fmt: skip
    rows = [
        (
            step.name, f"@{duration(step.ready_s)}", f"+{duration(step.own_s)}",
            duration(step.released_s - step.launched_s), duration(step.budget_s),
            Cell("over its budget", Tone.BAD) if step.late else "",
        )
        for step in steps
    ]  # fmt: skip
    return Table(columns, rows)
