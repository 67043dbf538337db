"""The ML engine's step: the session's time bars teach the online model, and it forecasts the next minute."""

from collections.abc import Sequence

import msgspec

from engines.ml.config import CONFIG, NS
from engines.ml.online import Learner
from engines.wire.messages import Bars, Body, Envelope, PredictionRow, Predictions, Session
from engines.wire.trace import replay_of

MODEL = "rls-ar1"


class State(msgspec.Struct):
    """One replay's learners, by symbol."""

    replay: int = 0
    session: str = ""
    learners: dict[str, Learner] = {}
    published: int = 0


def step(state: State, envelope: Envelope) -> tuple[State, Sequence[Body]]:
    """One message; what a former replay left behind is ignored."""
    body, replay = envelope.body, replay_of(envelope.header.trace) or 0
    if replay < state.replay:
        return state, []
    if replay > state.replay:
        state = State(replay)
    if isinstance(body, Session) and body.event == "open":
        state.session = f"{body.scenario} {body.date}"
    if not isinstance(body, Bars):
        return state, []
    made: list[PredictionRow] = []
    for row in body.rows:
        if row.kind == "time":
            learner = state.learners.setdefault(row.symbol, Learner())
            value = learner.take(row.close, row.end_ns)
            if value is not None:
                made.append(PredictionRow(row.symbol, MODEL, row.end_ns, CONFIG.online.bar_ns / NS, value))
    state.published += len(made)
    return state, [Predictions(tuple(made))] if made else []


class LiveCard(msgspec.Struct, frozen=True):
    """The online model's record in this session, for one symbol; None before its first judged forecast."""

    symbol: str
    observations: int
    theta: tuple[float, float]
    judged: int
    mse_ratio: float | None  # mean squared error / that of forecasting zero; below 1 is better
    hit_rate: float | None  # of the outcomes that moved


def live_cards(state: State) -> list[LiveCard]:
    """One card per symbol."""
    return [
        LiveCard(
            symbol,
            item.observations,
            item.theta,
            item.score.forecasts,
            item.score.error / item.score.naive if item.score.naive > 0 else None,
            item.score.hits / item.score.moves if item.score.moves else None,
        )
        for symbol, item in state.learners.items()
    ]
