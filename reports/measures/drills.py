"""Figures about drills: starting states, the kill switch, reverse stress."""

from collections.abc import Iterator

from reports.figures import Figure, in_history
from reports.history import History
from reports.records import KillSwitch, ReverseStep, ReverseStress, StartAccount, StartState

MARGIN_TOLERANCE = 0.05


def measure(history: History) -> Iterator[Figure]:
    """All of them; none for a run without a drill."""
    states = history.of(StartState)
    if states:
        missed = sum(not reached(state) for state in states)
        words = "items of the states that replays were to begin with and did not"
        yield Figure("start.missed", missed, "items", words, (in_history("start_state", states),))
    for account in history.of(StartAccount):
        yield from _account(account)
    for drill in history.of(KillSwitch):
        yield from _kill(drill)
    for searched in history.of(ReverseStress):
        yield from _reverse(searched, [step for step in history.of(ReverseStep) if step.phase == searched.phase])


def reached(state: StartState) -> bool:
    """Whether an item is what was wanted."""
    tolerance = MARGIN_TOLERANCE if state.item == "margin_use" else 0.0
    return state.got is not None and abs(state.got - state.wanted) <= tolerance


def _account(account: StartAccount) -> Iterator[Figure]:
    """Money as the engines told it, and the share of the equity that maintenance margin ties up."""
    prefix, source = f"start.{account.phase}", (in_history("start_account", 1, phase=account.phase),)
    money = "currency units"
    yield Figure(f"{prefix}.cash", account.cash, money, "that the account began with", source)
    yield Figure(f"{prefix}.equity", account.equity, money, "when the starting state had been taken", source)
    yield Figure(f"{prefix}.maintenance", account.maintenance, money, "margin that its positions needed then", source)
    use = 100 * account.maintenance / account.equity if account.equity > 0 else None
    yield Figure(f"{prefix}.use_percent", use, "%", "maintenance margin over equity; a call comes above 100", source)


def _kill(drill: KillSwitch) -> Iterator[Figure]:
    """What there was to close; times where there was something, the whole watch for what did not come."""
    prefix, source = f"killswitch.{drill.phase}", (in_history("kill_switch", 1, phase=drill.phase),)
    yield Figure(f"{prefix}.open_orders", drill.open_orders, "orders", "the strategies' open orders before", source)
    yield Figure(f"{prefix}.positions", drill.positions, "positions", "the strategies' positions before", source)
    money = "currency units"
    yield Figure(f"{prefix}.exposure", drill.exposure, money, "absolute values of these at the marks", source)
    gone = _seconds(drill, drill.orders_gone_ns) if drill.open_orders else None
    yield Figure(f"{prefix}.orders_gone_s", gone, "s", "until the venue worked none of these orders", source)
    flat = _seconds(drill, drill.flat_ns) if drill.positions else None
    words = "until the strategies held nothing; where they still did, the whole time that they were watched"
    yield Figure(f"{prefix}.flat_s", flat, "s", words, source)
    left = drill.residual if drill.positions else None
    yield Figure(f"{prefix}.residual", left, money, "their exposure at the end of the watch", source)


def _seconds(drill: KillSwitch, at_ns: int | None) -> float:
    return drill.watched_s if at_ns is None else (at_ns - drill.ordered_ns) / 1e9


def _reverse(searched: ReverseStress, steps: list[ReverseStep]) -> Iterator[Figure]:
    prefix = f"reverse.{searched.phase}"
    source = (in_history("reverse_stress", 1, phase=searched.phase),)
    evidence = (*source, in_history("reverse_step", steps, phase=searched.phase))
    breaching = min((step.fall for step in steps if step.breaches), default=None)
    holding = max((step.fall for step in steps if not step.breaches), default=None)
    found = None if breaching is None else 100 * breaching
    yield Figure(f"{prefix}.fall_percent", found, "%", "smallest fall that was seen to reach the limit", evidence)
    safe = None if holding is None else 100 * holding
    yield Figure(f"{prefix}.held_percent", safe, "%", "largest fall that was seen not to", evidence)
    yield Figure(f"{prefix}.exposure", searched.exposure, "currency units", "net value held", source)
    closed = closed_form(searched)
    words = "the same in closed form for a portfolio that is linear in its prices: (limit + result) over exposure"
    yield Figure(f"{prefix}.closed_percent", None if closed is None else 100 * closed, "%", words, source)
    ends = [searched.most if fall is None else fall for fall in (breaching, closed)]
    apart = 100 * abs(ends[0] - ends[1]) if steps else None
    words = "distance of the fall found from the closed form; where either says that none is, the largest fall instead"
    yield Figure(f"{prefix}.apart_percent", apart, "%", words, evidence)
    yield Figure(f"{prefix}.resolution_percent", 100 * searched.resolution, "%", "of the search", source)


def closed_form(searched: ReverseStress) -> float | None:
    """The fall at which `exposure * fall - pnl` reaches the limit; None: no fall up to the largest does."""
    if searched.exposure <= 0:
        return None
    fall = (searched.loss_limit + searched.pnl) / searched.exposure
    return fall if 0 <= fall <= searched.most else None
