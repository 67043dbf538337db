"""Halt, drain, stop: before order engines are stopped their open orders end and what was published is consumed.

Pure: the supervisor says the words (`engines.wire.leash`) and brings the heartbeat slots, this says when it is over.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from engines.wire.beat import Pulse
from engines.wire.state import EngineState

CALM_S = 0.02  # nothing open and nothing queued for so long: what one engine hands to the next takes milliseconds


class Drain(msgspec.Struct, frozen=True, kw_only=True):
    """One drain.

    `order`: the order engines, each after those that start after it.  `told` of them were told to halt: the next one
    is once the orders of those before have ended, since a venue must go on while orders are withdrawn.
    `watched`: whose input is to be consumed as well.
    `restart`: the engine that is restarted when it is over, which needs every order to have ended; empty: the fleet
    stops, whatever is left at `until` (CLOCK_MONOTONIC seconds).
    """

    order: tuple[str, ...]
    told: int = 1
    watched: tuple[str, ...]
    until: float
    restart: str = ""
    calm_at: float | None = None


class Look(NamedTuple):
    """The drain as it goes on, and how it ended: `left` names what had not by its deadline, empty when all had.

    `tell`: the engine that is to be told to halt now; empty for none.
    """

    drain: Drain
    over: bool
    left: str
    tell: str = ""


def look(drain: Drain, pulses: Mapping[str, Pulse], now: float) -> Look:
    """Judge by the slots of engines that live; one that died has lost nothing: what it committed waits on the bus."""
    left = remaining(drain, pulses)
    if not left and drain.told < len(drain.order):
        drain = msgspec.structs.replace(drain, told=drain.told + 1)
        return Look(drain, over=False, left="", tell=drain.order[drain.told - 1])
    if left:
        drain = msgspec.structs.replace(drain, calm_at=None)
        return Look(drain, over=now >= drain.until, left=left)
    since = now if drain.calm_at is None else drain.calm_at
    return Look(msgspec.structs.replace(drain, calm_at=since), over=now - since >= CALM_S, left="")


def remaining(drain: Drain, pulses: Mapping[str, Pulse]) -> str:
    """What is not through yet, in words."""
    parts = []
    for name in drain.order[: drain.told]:
        pulse = pulses.get(name)
        if pulse is not None and pulse.state is not EngineState.HALTED:
            parts.append(f"{name} has not halted")
        elif pulse is not None and pulse.orders:
            parts.append(f"{name} has {pulse.orders} open order{'s' if pulse.orders > 1 else ''}")
    behind = [name for name in drain.watched if name in pulses and pulses[name].lag]
    if behind and drain.told == len(drain.order):  # before, its sources still speak
        parts.append(f"{', '.join(behind)} {'have' if len(behind) > 1 else 'has'} messages to consume")
    return "; ".join(parts)
