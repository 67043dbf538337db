"""The step on a real tape: same messages, same outputs, also after a snapshot; and the HTTP face."""

import functools

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from engines.features.model import State, describe, step
from engines.features.service import checks, engine, routes
from engines.kit import codec
from engines.kit.service import _explain
from engines.marketdata.tape.tape import Tape, make
from engines.wire import manifest
from engines.wire.errors import MessageError, NautilusError
from engines.wire.messages import Bars, Body, Envelope, Features, Header, Quotes, Session, Trades
from engines.wire.scenario_file import load


@functools.cache
def tape() -> Tape:
    return make(load("flash-crash-2010"), 3)


def messages(replay: str = "r1", most: int = 20_000, batch: int = 700) -> list[Envelope]:
    symbols, made = tape().scenario.symbols, []
    for start in range(0, most, batch):
        for kind, rows in ((Trades, tape().trades), (Quotes, tape().quotes)):
            part = rows[start : min(start + batch, most)]
            header = Header("marketdata", 1, 1, "", 1, f"{replay}/before", int(part["ts"][-1]), 0, 0)
            made.append(Envelope(kind.TOPIC, f"{len(made) + 1}-0", header, kind(symbols, part.tobytes())))
    return made


def run(state: State, envelopes: list[Envelope]) -> list[Body]:
    made: list[Body] = []
    for envelope in envelopes:
        state, bodies = step(state, envelope)
        made += bodies
    return made


def test_replay_is_deterministic_and_survives_a_snapshot() -> None:
    whole = run(State(), messages())
    assert whole == run(State(), messages())
    state, half = State(), messages()[: len(messages()) // 2]
    first = run(state, half)
    again = codec.decode(codec.encode(state), State)
    assert first + run(again, messages()[len(half) :]) == whole
    assert {type(body) for body in whole} == {Features, Bars}


def test_bars_hold_the_traded_volume() -> None:
    rows = tape().trades[:20_000]
    last = int(rows["ts"][-1]) // 60_000_000_000
    bars = [row for body in run(State(), messages(most=20_000)) if isinstance(body, Bars) for row in body.rows]
    closed = rows[rows["ts"] // 60_000_000_000 < last]
    assert sum(row.volume for row in bars if row.kind == "time") == closed["size"].sum()


def test_a_new_replay_starts_afresh() -> None:
    state = State()
    run(state, messages("r1", 3_000))
    assert run(state, messages("r2", 3_000)) == run(State(), messages("r2", 3_000))
    session = Session("open", "flash-crash-2010", "2010-05-06", ("SPX",), (), 1, "", 1.0)
    step(state, Envelope("sessions", "1-0", Header("m", 1, 1, "", 1, "r3/before", 0, 0, 0), session))
    assert (state.flow.replay, state.bars.replay, state.session) == (3, 3, "flash-crash-2010 2010-05-06")
    assert run(state, messages("r2", 3_000)) == []  # what r2 left behind
    assert run(state, messages("r3", 3_000)) == run(State(), messages("r3", 3_000))


def test_a_batch_that_is_no_whole_number_of_rows_is_refused() -> None:
    good = messages(most=700)[0]
    with pytest.raises(ValueError, match="buffer size"):
        step(State(), Envelope(good.topic, "1-0", good.header, Trades(tape().scenario.symbols, b"short")))
    state = State()
    run(state, messages(most=1_400))
    with pytest.raises(MessageError, match="out of time order"):
        step(state, good)


class Here:
    """What the routes need of a runtime."""

    def __init__(self, state: State) -> None:
        self.state = state


def test_http_face() -> None:
    state = State()
    run(state, messages(most=7_000))
    here = Here(state)
    app = Litestar(route_handlers=[*routes(here)], exception_handlers={NautilusError: _explain})  # type: ignore[arg-type,list-item]
    with TestClient(app) as client:
        live = client.get("/features").json()
        assert live["replay"] == 1
        assert {row["symbol"] for row in live["rows"]} == {"ESX", "AAPL", "GOOG", "IBM", "MSFT"}
        reply = client.get("/parkinson", params={"symbol": "AAPL", "window": 20, "end": "2010-05-06"})
        assert reply.json()["date"] == "2010-05-06"
        assert reply.json()["volatility"] == pytest.approx(0.5967, abs=1e-4)
        for request in manifest.pick(manifest.discover(), "features").load:
            if request.path != "/health":
                assert request.check is not None
                value = client.get(request.path).json()[request.check.field]
                assert request.check.low <= value <= request.check.high
        assert client.get("/realised", params={"symbol": "AAPL", "window": 1}).status_code == 400
        assert client.get("/realised", params={"symbol": "APL"}).json()["next"] == "Did you mean 'AAPL'?"
        assert client.get("/garman-klass", params={"symbol": "FB", "window": 5000}).status_code == 404
    assert "5 symbols" in describe(state)[0]
    assert checks(here)[0].status == "ok"  # type: ignore[arg-type]
    assert engine.counters(state)["seconds_closed"] > 0
