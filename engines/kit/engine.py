"""An engine, as its folder declares it: a pure step, its state and its routes.  `kit.serve` does the rest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, runtime_checkable

from litestar.handlers import HTTPRouteHandler, WebsocketRouteHandler

from engines.kit.consumer import Unit
from engines.kit.hops import Hops
from engines.kit.runtime import Runtime
from engines.wire.bus import Bus, Ledger
from engines.wire.health import Acceleration, Check
from engines.wire.messages import Body, Envelope

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)
Step = Callable[[S, Envelope], tuple[S, Sequence[Body]]]


class LiveUnit(Unit, Protocol[S_co]):
    """A unit with what health and metrics show of it."""

    hops: Hops
    ledger: Ledger

    @property
    def state(self) -> S_co:
        """The live state."""

    @property
    def epoch(self) -> int:
        """The incarnation."""


class Writer(Protocol):
    """A store that tells before it writes."""

    before_write: Callable[[], None]


@runtime_checkable
class Storing(Protocol):
    """A unit whose effects are in a store of its own."""

    store: Writer


class UnitFactory(Protocol[S]):
    """Builds what commits an engine's effects."""

    def __call__(
        self, engine: "Engine[S]", topics: Sequence[str], main: Bus, mono_ns: Callable[[], int], /
    ) -> LiveUnit[S]:
        """A unit that has not claimed yet."""


class Source(Protocol):
    """A background task of an engine: a replay, a fan-out.  Ends when `runtime.stop` is set."""

    async def __call__(self) -> None:
        """Run until the engine stops."""


@dataclass(frozen=True)
class Engine(Generic[S]):
    """One engine.

    `step` owns the state it is given and may change it in place: an interrupted step is never committed, and the next
    incarnation starts from the last commit.  It must be deterministic: same state and message, same result.
    `snapshot_s`: seconds between snapshots of the state; 0 takes one with every commit, which engines whose effects
    matter need; an observer may be replayed from an older one, its repeated outputs being suppressed.
    `hold`, for engines that send orders: told to hold them back (True) it withdraws the open ones and sends no more
    until it is told otherwise (False); like `step` it changes the state and returns what to publish.  `open_orders`:
    how many it knows of that have not ended.  `commands`: what an operator's request (`runtime.command`) has it do
    between two messages; like `hold` they change the state and return what to publish, and may be carried out twice.
    `acceleration`: what its heaviest kernel was last computed with.
    """

    name: str
    initial: Callable[[], S]
    step: Step[S]
    state_type: type[S]
    snapshot_s: float = 0.0
    routes: Callable[[Runtime[S]], Sequence[HTTPRouteHandler | WebsocketRouteHandler]] = lambda _: ()
    sources: Callable[[Runtime[S]], Sequence[Source]] = lambda _: ()
    checks: Callable[[Runtime[S]], Sequence[Check]] = lambda _: ()
    hold: Callable[[S, bool], Sequence[Body]] | None = None
    commands: Mapping[str, Callable[[S], Sequence[Body]]] = field(default_factory=dict)
    open_orders: Callable[[S], int] = lambda _: 0
    features: Callable[[S], Sequence[str]] = lambda _: ()
    counters: Callable[[S], Mapping[str, int]] = lambda _: {}
    acceleration: Callable[[], Acceleration] = Acceleration
    data_sources: Sequence[str] = field(default=())
    warm: Callable[[], None] = lambda: None
    unit: "UnitFactory[S] | None" = None  # None: a Processor
