"""What a mission's screen knows: every word of the mission folded into one value.  Pure."""

from collections.abc import Sequence

import msgspec

from stress.progress import Light, Price, Progress

KEPT = 240  # points of a chart
WORDS = 50  # messages


class Phase(msgspec.Struct, frozen=True):
    """A step of the plan; `began_s` None: it has not begun, `took_s` None: it is not over."""

    name: str
    planned_s: float
    began_s: float | None = None
    took_s: float | None = None


class Rate(msgspec.Struct, frozen=True):
    """One second of load over all engines: requests due, answered, gone wrong or never sent; connections open; latency
    from the intended time, None where it is not told.
    """

    due: int
    done: int
    errors: int
    open: int
    p50_us: int | None = None
    p99_us: int | None = None


class LiveState(msgspec.Struct, frozen=True):
    """Everything that is shown.  `current` is the place in `phases`; `heard_s`: the reader's clock at the last word."""

    title: str
    phases: tuple[Phase, ...]
    current: int = 0
    done_s: float = 0.0
    total_s: float = 0.0
    heard_s: float = 0.0
    text: str = ""
    rates: tuple[Rate, ...] = ()
    errors: int = 0
    prices: tuple[Price, ...] = ()
    engines: dict[str, Light] = {}
    faults: dict[str, str] = {}  # those in force: id to words
    words: tuple[str, ...] = ()


def begin(title: str, steps: Sequence[tuple[str, float]], now: float) -> LiveState:
    """Before the first word."""
    phases = tuple(Phase(name, seconds) for name, seconds in steps)
    return LiveState(title, phases, total_s=sum(seconds for _, seconds in steps), heard_s=now)


def hear(state: LiveState, said: Progress, now: float) -> LiveState:
    """The state after one more word of the mission."""
    moved = _moved(state, said)
    faults = dict(state.faults)
    if said.fault is not None and said.fault.event == "inject":
        faults[said.fault.id] = said.fault.words
    elif said.fault is not None:
        faults.pop(said.fault.id, None)
    rate = None if said.load is None else _rate(said)
    news = said.load is None and said.engines is None and said.text != state.text
    if news and said.text:
        moved = note(moved, f"{said.done_s:5.0f} s  {said.phase}: {said.text}")
    return msgspec.structs.replace(
        moved,
        done_s=said.done_s,
        total_s=said.total_s,
        heard_s=now,
        text=said.text if said.engines is None else state.text,
        rates=state.rates if rate is None else (*state.rates, rate)[-KEPT:],
        errors=state.errors + (0 if rate is None else rate.errors),
        prices=state.prices if said.price is None else _prices(state.prices, said.price),
        engines=state.engines if said.engines is None else said.engines,
        faults=faults,
    )


def note(state: LiveState, words: str) -> LiveState:
    """One more message."""
    return msgspec.structs.replace(state, words=(*state.words, *words.splitlines())[-WORDS:])


def _prices(known: tuple[Price, ...], price: Price) -> tuple[Price, ...]:
    """With one more, if it is later; another symbol begins a chart of its own."""
    if not known or known[-1].symbol != price.symbol:
        return (price,)
    return (*known, price)[-KEPT:] if price.ts_ns > known[-1].ts_ns else known


def _rate(said: Progress) -> Rate:
    counts = () if said.load is None else said.load.targets.values()
    return Rate(
        due=sum(each.scheduled for each in counts),
        done=sum(each.done for each in counts),
        errors=sum(sum(each.failed.values()) + each.unsent for each in counts),
        open=sum(each.open for each in counts),
        p50_us=None if said.load is None else said.load.p50_us,
        p99_us=None if said.load is None else said.load.p99_us,
    )


def _moved(state: LiveState, said: Progress) -> LiveState:
    """The phase that the word is about begins, and those before it are over; a mission never goes back."""
    place = _place(state, said.phase)
    phases = list(state.phases)
    if not phases or (place == state.current and phases[place].began_s is not None):
        return state
    for index in range(state.current, place):
        before = phases[index]
        began = before.began_s if before.began_s is not None else said.done_s
        phases[index] = Phase(before.name, before.planned_s, began, said.done_s - began)
    phases[place] = Phase(phases[place].name, phases[place].planned_s, said.done_s)
    return msgspec.structs.replace(state, phases=tuple(phases), current=place)


def _place(state: LiveState, name: str) -> int:
    """Of the step of that name, or of the one of which it is a part (`calibrate-compute` of `calibrate`)."""
    ahead = range(state.current, len(state.phases))
    exact = (index for index in ahead if state.phases[index].name == name)
    part = (index for index in ahead if name.startswith(state.phases[index].name + "-"))
    return next(exact, next(part, state.current))
