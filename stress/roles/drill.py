"""Drills while calm hours of a day are replayed: the kill switch, and how far the market may fall."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from engines.wire import scenario_file
from engines.wire.errors import NautilusError
from engines.wire.ticks import PRICE_SCALE
from reports import records
from stress import reverse as search
from stress import start
from stress.history.stamp import stamp
from stress.roles import account, opening, operations
from stress.roles.account import Account
from stress.roles.calm import Calm
from stress.run import Run
from stress.specs.drill import KillSwitch, ReverseStress

_POLL_S = 0.02


class Held(NamedTuple):
    """What the strategies have: legs that are not flat, their absolute value at the marks, ids of their open orders."""

    legs: int
    exposure: float
    orders: frozenset[str]


async def kill(run: Run, spec: KillSwitch) -> None:
    """Positions and orders, then the kill switch; watch both go, let the strategies trade again, account."""
    began, calm = time.monotonic(), Calm(run, spec.scenario, spec.speed)
    run.phase(spec.title, "start", measured=True)
    await calm.begin()
    probing = asyncio.create_task(_watch(run, spec.title))
    try:
        await opening.begin(run, spec.title, scenario_file.load(spec.scenario))
        await asyncio.to_thread(_seek, run, spec)
        run.say(spec.title, "the kill switch is thrown")
        before = await operations.ends(run)
        thrown = await asyncio.to_thread(_kill, run, spec)
        for record in await _joined(run, thrown, before):
            run.add(record)
    finally:
        probing.cancel()
        calm.let_go()
    await asyncio.to_thread(run.fleet.post, "strategy", "/kill/reset", {})
    run.phase(spec.title, "end", measured=True)
    run.go_on()
    await calm.end()
    trace = f"r{calm.number}/window"
    await account.carry_out(run, Account(f"{spec.title}-after", spec.title, trace, began, spec.drain_s))


async def _joined(run: Run, thrown: records.KillSwitch, before: dict[str, str]) -> list[records.AnyRecord]:
    """The drill with when its request arrived, and what that caused after these entries of the bus."""
    found = await operations.effects(run, thrown.request, before)
    arrived = operations.arrived_ns(found, thrown.request)
    return [
        msgspec.structs.replace(thrown, arrived_ns=arrived),
        *operations.hops(thrown.phase, thrown.request, found),
    ]


async def _watch(run: Run, phase: str) -> None:
    """Health of all engines, once a second."""
    while True:
        await run.probe(phase)
        await asyncio.sleep(1.0)


def _symbols(spec: KillSwitch) -> tuple[str, ...]:
    return tuple(instrument.symbol for instrument in scenario_file.load(spec.scenario).instruments)


def _held(run: Run) -> Held:
    """By the strategies' own fills and orders; positions are valued at the portfolio's marks."""
    marks = {row[0]: row[3] / PRICE_SCALE * row[6] for row in run.fleet.get("portfolio", "/positions")["rows"]}
    legs = [leg for each in run.fleet.get("strategy", "/strategies") for leg in each["legs"] if leg["position"]]
    exposure = sum(abs(leg["position"]) * marks.get(leg["symbol"], 0.0) for leg in legs)
    return Held(len(legs), exposure, frozenset(_open(run)))


def _open(run: Run) -> list[str]:
    """Orders of the strategies that risk has accepted and that have not ended."""
    tracked = run.fleet.get("strategy", "/orders")["open"]
    return [str(each["order"]["order_id"]) for each in tracked if each["status"] in ("accepted", "partial")]


def _seek(run: Run, spec: KillSwitch) -> None:
    """Wait until they hold something and have an order open; a position alone will do once the time is over."""
    until = time.monotonic() + spec.seek_s
    while time.monotonic() < until and not (_held(run).legs and _open(run)):
        time.sleep(_POLL_S / 4)


def _kill(run: Run, spec: KillSwitch) -> records.KillSwitch:
    before, symbols = _held(run), _symbols(spec)
    request, ordered = operations.asked(run)
    run.fleet.post("strategy", "/kill", {}, request)
    answered = time.monotonic_ns()
    gone = flat = None
    for now in _looks(spec.limit_s):
        working = {str(order["order_id"]) for order in start.working(run.fleet, symbols)}
        held = _held(run)
        gone = now if gone is None and not working & before.orders else gone
        flat = (flat or now) if not held.legs else None
        if gone is not None and flat is not None and not held.orders:
            break
    return records.KillSwitch(
        **stamp(),
        phase=spec.title,
        ordered_ns=ordered,
        watched_s=(time.monotonic_ns() - ordered) / 1e9,
        open_orders=len(before.orders),
        positions=before.legs,
        exposure=before.exposure,
        orders_gone_ns=gone,
        flat_ns=flat,
        residual=_held(run).exposure,
        request=request,
        answered_ns=answered,
    )


def _looks(limit_s: float) -> Iterator[int]:
    """CLOCK_MONOTONIC again and again: what is asked for after one of them is not older than it."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        yield time.monotonic_ns()
        time.sleep(_POLL_S)


async def reverse(run: Run, spec: ReverseStress) -> None:
    """Positions; then the replay is stopped, so that nothing moves, and the risk engine is asked fall by fall."""
    began, calm = time.monotonic(), Calm(run, spec.scenario, spec.speed)
    run.phase(spec.title, "start", measured=False)
    await calm.begin()
    try:
        await opening.begin(run, spec.title, scenario_file.load(spec.scenario))
    finally:
        calm.let_go()
    await calm.end()
    trace = f"r{calm.number}/window"
    await account.carry_out(run, Account(f"{spec.title}-after", spec.title, trace, began, spec.drain_s))
    for record in await asyncio.to_thread(_search, run, spec):
        run.add(record)
    run.phase(spec.title, "end", measured=False)


def _search(run: Run, spec: ReverseStress) -> list[records.AnyRecord]:
    """Every step as the engine answered it, after what it holds and what its limit is."""
    limits: dict[str, Any] = run.fleet.get("risk", "/limits")
    if limits["pnl"] is None:
        raise NautilusError("The risk engine has no result yet.", "It was told no positions.", "Read logs/risk.log.")
    asked: list[records.AnyRecord] = [
        records.ReverseStress(
            **stamp(),
            phase=spec.title,
            exposure=sum(holding["notional"] for holding in limits["holdings"]),
            pnl=limits["pnl"],
            loss_limit=run.fleet.get("risk", "/stress?fall=1")["loss_limit"],
            resolution=spec.resolution,
            most=spec.most,
        )
    ]

    def breaches(fall: float) -> bool:
        answer = run.fleet.get("risk", f"/stress?fall={fall!r}")
        kills, number = bool(answer["kills"]), len(asked)
        asked.append(
            records.ReverseStep(
                **stamp(), phase=spec.title, number=number, fall=fall, loss=answer["loss"], breaches=kills
            )
        )
        return kills

    search.search(breaches, spec.most, spec.resolution)
    return asked
