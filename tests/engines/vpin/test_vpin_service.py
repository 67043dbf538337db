"""The step on a real tape, cut in any way; the minutes by brute force; and the HTTP face."""

import datetime as dt
import functools
from collections.abc import Sequence

import numpy as np
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from engines.kit import codec
from engines.kit.service import _explain
from engines.marketdata.tape.tape import Tape, make
from engines.vpin.batch import batch
from engines.vpin.config import bucket_volume
from engines.vpin.model import State, describe, step
from engines.vpin.service import checks, engine, routes
from engines.vpin.toxicity import Toxicity
from engines.wire import bundle, manifest
from engines.wire.errors import MessageError, NautilusError
from engines.wire.messages import Envelope, Header, Session, Trades, VpinRow
from engines.wire.scenario_file import load

DAY = dt.date(2010, 5, 6)
MINUTE = 60_000_000_000


@functools.cache
def tape() -> Tape:
    return make(load("flash-crash-2010"), 3)


def messages(batch: int, replay: str = "r1") -> list[Envelope]:
    rows, symbols = tape().trades, tape().scenario.symbols
    return [
        Envelope(
            "trades",
            f"{start + 1}-0",
            Header("marketdata", 1, 1, "", 1, f"{replay}/before", 0, 0, 0),
            Trades(symbols, rows[start : start + batch].tobytes()),
        )
        for start in range(0, rows.size, batch)
    ]


def run(state: State, envelopes: Sequence[Envelope]) -> tuple[State, list[VpinRow]]:
    made: list[VpinRow] = []
    for envelope in envelopes:
        state, bodies = step(state, envelope)
        made += [row for body in bodies for row in body.rows]  # type: ignore[attr-defined]
    return state, made


@functools.cache
def whole_day() -> tuple[State, list[VpinRow]]:
    return run(State(), messages(4_000))


def test_a_day_does_not_depend_on_the_batches_nor_on_a_snapshot() -> None:
    _, whole = whole_day()
    assert run(State(), messages(997))[1] == whole
    cut = messages(4_000)
    state, first = run(State(), cut[:25])
    again = codec.decode(codec.encode(state), State)
    assert first + run(again, cut[25:])[1] == whole


def test_a_symbol_is_the_brute_force_over_its_minutes() -> None:
    state, made = whole_day()
    symbols = tape().scenario.symbols
    rows = tape().trades[tape().trades["symbol"] == symbols.index("IBM")]
    alone = Toxicity(bucket_volume("IBM", DAY) or 0, 50)
    minutes = rows["ts"] // MINUTE
    last = tape().trades["ts"][-1] // MINUTE
    expected = []
    for minute in sorted(set(minutes.tolist()) - {int(last)}):
        own = rows[minutes == minute]
        for bucket in alone.add(int(own["size"].sum()), int(own["price"][-1])):
            expected.append(VpinRow("IBM", bucket.number, (minute + 1) * MINUTE, bucket.vpin))
    assert [row for row in made if row.symbol == "IBM"] == expected
    assert expected[-1].vpin is not None
    held = state.toxicity[symbols.index("IBM")]
    assert held is not None
    assert held.total == rows["size"][minutes < last].sum()


def test_an_index_is_not_followed_and_a_replay_starts_afresh() -> None:
    state, _ = whole_day()
    assert state.toxicity[0] is None
    again, made = run(state, messages(4_000, "r2")[:20])
    assert made == whole_day()[1][: len(made)]
    assert again.replay == 2
    session = Session("open", "flash-crash-2010", "2010-05-06", ("SPX",), (), 1, "", 1.0)
    opened, _ = step(again, Envelope("sessions", "1-0", Header("m", 1, 1, "", 1, "r3/before", 0, 0, 0), session))
    assert (opened.replay, opened.session, opened.toxicity) == (3, "flash-crash-2010 2010-05-06", [])
    assert run(opened, messages(4_000, "r2")[:20])[1] == []  # what r2 left behind
    assert run(opened, messages(4_000, "r3")[:20])[1] == made


def test_dishonest_batches_are_refused() -> None:
    first, second = messages(4_000)[:2]
    state, _ = run(State(), [first, second])
    with pytest.raises(MessageError, match="out of time order"):
        step(state, first)
    rows = np.frombuffer(second.body.rows, tape().trades.dtype).copy()  # type: ignore[attr-defined]
    rows["size"][5] = 0
    with pytest.raises(MessageError, match="size 0"):
        run(State(), [Envelope("trades", "1-0", first.header, Trades(tape().scenario.symbols, rows.tobytes()))])
    rows["size"][5], rows["symbol"][5] = 1, 200
    with pytest.raises(MessageError, match="symbol 200"):
        run(State(), [Envelope("trades", "1-0", first.header, Trades(tape().scenario.symbols, rows.tobytes()))])


def test_batch_over_stored_bars_counts_every_share() -> None:
    found = batch("AAPL", dt.date(2010, 2, 1), DAY, 2, 50)
    bars = bundle.bars("AAPL", dt.date(2010, 2, 1), DAY)
    assert found.volume == bars.volume.sum() == found.buckets * found.bucket + found.remainder
    assert found.vpin is not None
    assert 0 < found.vpin < 1


class Here:
    """What the routes need of a runtime."""

    def __init__(self, state: State) -> None:
        self.state = state


def test_http_face_and_its_load_profile() -> None:
    here = Here(whole_day()[0])
    app = Litestar(route_handlers=[*routes(here)], exception_handlers={NautilusError: _explain})  # type: ignore[arg-type,list-item]
    with TestClient(app) as client:
        rows = {row["symbol"]: row for row in client.get("/vpin").json()["rows"]}
        assert set(rows) == {"ESX", "AAPL", "GOOG", "IBM", "MSFT"}
        assert 0 < rows["ESX"]["vpin"] < 1
        assert rows["ESX"]["bucket"] == 2_397_639 // 50
        assert client.get("/classify?change=1&sigma=0&volume=10").status_code == 400
        assert client.get("/batch?symbol=IBM&start=2001-01-01&end=2010-01-01").json()["next"] == "Ask for less."
        assert client.get("/batch?symbol=FB&start=2001-01-01&end=2001-03-01").status_code == 404
        for request in manifest.pick(manifest.discover(), "vpin").load:
            if request.path != "/health":
                assert request.check is not None
                value = client.get(request.path).json()[request.check.field]
                assert request.check.low <= value <= request.check.high
    assert "5 symbols" in describe(here.state)[0]
    assert checks(here)[0].status == "ok"  # type: ignore[arg-type]
    assert engine.counters(here.state)["buckets"] == len(whole_day()[1])
