"""Wiring of the ML engine."""

import asyncio
import datetime as dt
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery

from engines.kit.engine import Engine, Source
from engines.kit.runtime import Runtime
from engines.ml import shelf
from engines.ml.card import Card
from engines.ml.config import CONFIG
from engines.ml.daily import Forecast, Models, Name, digest, trained_ridge
from engines.ml.dataset import FEATURES, row_of, samples_of
from engines.ml.model import MODEL, LiveCard, State, live_cards, step
from engines.wire.errors import DataError
from engines.wire.health import Check

log = logging.getLogger(__name__)


class Listing(msgspec.Struct, frozen=True):
    """Every model's record.  `untrained`: models that are declared and not there yet."""

    daily: list[Card]
    untrained: tuple[str, ...]
    online: str
    session: str
    live: list[LiveCard]


def routes(runtime: Runtime[State]) -> Sequence[HTTPRouteHandler]:
    """The HTTP face: the models' cards, and forecasts over stored bars."""
    models = Models(folder_of(runtime))

    @get("/models", sync_to_thread=False, summary="The cards of all models")
    def listing() -> Listing:
        cards, state = models.cards(), runtime.state
        known = {card.model for card in cards}
        untrained = tuple(name for name in ("ridge", "lightgbm") if name not in known)
        return Listing(cards, untrained, MODEL, state.session, live_cards(state))

    @get("/predict", sync_to_thread=False, summary="A forecast of the next day's log return")
    def predict(model: FromQuery[Name], symbol: FromQuery[str], date: FromQuery[dt.date | None] = None) -> Forecast:
        return models.predict(model, symbol, date)

    return [listing, predict]


def folder_of(runtime: Runtime[State]) -> Path:
    """Where trained artefacts lie."""
    return runtime.settings.store / "models"


def sources(runtime: Runtime[State]) -> Sequence[Source]:
    """Training, once, some time after the start."""

    async def training() -> None:
        try:
            async with asyncio.timeout(CONFIG.train_after_s):
                await runtime.stop.wait()
            return
        except TimeoutError:
            folder = folder_of(runtime)
        if _trees(folder).status == "fail" or shelf.read(folder, digest()) is None:
            await train_apart(folder)

    return [training]


async def train_apart(folder: Path) -> bool:
    """Train the boosted trees in a process of its own; whether it succeeded.  It ends with its caller."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("NAUTILUS_")}
    env["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engines.ml.train", str(folder), env=env, stderr=asyncio.subprocess.PIPE
    )
    try:
        _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        log.error("training ended with %s: %s", process.returncode, errors.decode(errors="replace")[-2_000:])
    return process.returncode == 0


def checks(runtime: Runtime[State]) -> list[Check]:
    """The served ridge forecast of a stored day is the model's, and the trees on disk are those that were grown."""
    symbol, day = CONFIG.daily.symbols[0], dt.date(2010, 5, 6)
    found = Models(folder_of(runtime)).predict("ridge", symbol, day).forecast
    samples = samples_of(symbol)
    row = row_of(samples, day)
    expected = samples.volatility[row] * trained_ridge()[0].predict(samples.x[row])
    right = abs(found - float(expected)) < 1e-12
    ridge = Check("ridge", "ok" if right else "fail", f"{symbol} after {day}: {found:+.6f}")
    return [ridge, _trees(folder_of(runtime))]


def _trees(folder: Path) -> Check:
    try:
        found = shelf.read(folder, digest())
    except DataError as error:
        return Check("trees", "fail", error.what)
    return Check("trees", "ok", "not trained yet" if found is None else "as they were grown")


def describe(state: State) -> list[str]:
    """What the engine can do and does, counted."""
    ready = sum(item.observations >= CONFIG.online.least for item in state.learners.values())
    return [
        f"ridge and boosted trees on {len(FEATURES)} features of {len(CONFIG.daily.symbols)} symbols",
        f"online {MODEL}: {ready} of {len(state.learners)} symbols past {CONFIG.online.least} observations",
    ]


def warm() -> None:
    """Train the ridge model and take the digest of its data."""
    trained_ridge()
    digest()


engine = Engine(
    name="ml",
    initial=State,
    step=step,
    state_type=State,
    snapshot_s=3.0,
    routes=routes,
    sources=sources,
    checks=checks,
    features=describe,
    counters=lambda state: {"predictions": state.published},
    data_sources=("60 s bars (main bus)", "bundled daily bars"),
    warm=warm,
)
