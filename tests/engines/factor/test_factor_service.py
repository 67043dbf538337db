"""Stored values, the live step over the session's bars, and the HTTP face."""

import asyncio
import datetime as dt
from collections.abc import Callable

import numpy as np
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from engines.factor.config import CONFIG
from engines.factor.evaluate import evaluate
from engines.factor.model import State, describe, step
from engines.factor.registry import factor, factors
from engines.factor.service import checks, engine, routes
from engines.factor.stored import panel, value_at
from engines.kit import codec
from engines.kit.service import _explain
from engines.wire import bundle, manifest
from engines.wire.errors import DataError, NautilusError, UsageError
from engines.wire.messages import BarRow, Bars, Envelope, FactorRow, Header, Session

DAY = dt.date(2010, 5, 6)
MINUTE = 60_000_000_000


def test_a_value_is_the_same_from_its_lookback_as_from_the_whole_panel() -> None:
    days, whole = panel()
    row = int(days.searchsorted(np.datetime64(DAY)))
    for name in ("CORR60", "RESI20", "alpha019", "alpha031", "alpha052", "alpha085"):
        item = factor(name)
        full = evaluate(item.node, whole.part(row - 700, row + 1))[-1]
        for symbol in ("AAPL", "IBM"):
            value = value_at(item.expression, item.node, symbol, DAY).value
            assert value == pytest.approx(full[CONFIG.universe.index(symbol)], rel=1e-9), name


def test_stored_values_by_hand() -> None:
    bars = bundle.bars("IBM").before(DAY + dt.timedelta(days=1), 6)
    closes = bars.adj_close
    value = lambda name: value_at("", factor(name).node, "IBM", DAY).value  # noqa: E731
    assert value("ROC5") == pytest.approx(closes[0] / closes[5])
    assert value("MA5") == pytest.approx(closes[1:].mean() / closes[5])
    assert value("KMID") == pytest.approx(bars.close[5] / bars.open[5] - 1)


def test_a_split_is_no_jump() -> None:
    """MSFT split 2:1 on 18 February 2003: its unadjusted return would be about -50 %."""
    found = value_at("", factor("ROC5").node, "MSFT", dt.date(2003, 2, 20)).value
    assert found == pytest.approx(1.0, abs=0.1)


def test_requests_that_cannot_be() -> None:
    node = factor("KMID").node
    with pytest.raises(UsageError, match="Did you mean 'AAPL'"):
        value_at("", node, "AAPLE", DAY)
    with pytest.raises(DataError, match="no bar on 2010-05-08"):
        value_at("", node, "IBM", dt.date(2010, 5, 8))
    with pytest.raises(DataError, match="FB has no bar"):
        value_at("", node, "FB", DAY)
    assert value_at("", factor("MA60").node, "FB", dt.date(2012, 5, 21)).value is None


def bar(symbol: str, minute: int, rng: np.random.Generator) -> BarRow:
    low, high = sorted(rng.integers(900_000, 1_100_000, 2).tolist())
    first, last = rng.integers(low, high + 1, 2).tolist()
    return BarRow(
        symbol, "time", minute * MINUTE, (minute + 1) * MINUTE, first, high, low, last, int(rng.integers(1, 999)), 3
    )


def messages(minutes: int, at_once: int, replay: str = "r1") -> list[Envelope]:
    rng = np.random.default_rng(2)
    rows = [
        [bar(symbol, 100 + m, rng) for symbol in ("ESX", "IBM", "MSFT") if (m % 7, symbol) != (3, "IBM")]
        for m in range(minutes)
    ]
    made = []
    for start in range(0, minutes, at_once):
        body = Bars(tuple(row for group in rows[start : start + at_once] for row in group))
        made.append(
            Envelope("bars", f"{start + 1}-0", Header("features", 1, 1, "", 1, f"{replay}/before", 0, 0, 0), body)
        )
    return made


def run(state: State, envelopes: list[Envelope]) -> list[FactorRow]:
    made: list[FactorRow] = []
    for envelope in envelopes:
        state, bodies = step(state, envelope)
        made += [row for body in bodies for row in body.rows]  # type: ignore[attr-defined]
    return made


def test_live_factors_do_not_depend_on_the_batches_nor_on_a_snapshot() -> None:
    whole = run(State(), messages(70, 1))
    assert run(State(), messages(70, 9)) == whole
    state = State()
    first = run(state, messages(70, 1)[:33])
    assert first + run(codec.decode(codec.encode(state), State), messages(70, 1)[33:]) == whole


def test_live_factors_are_the_definitions_over_the_minutes() -> None:
    rows = run(State(), messages(70, 1))
    bars = [row for envelope in messages(70, 1) for row in envelope.body.rows]  # type: ignore[attr-defined]
    msft = [row for row in bars if row.symbol == "MSFT"]
    closes = np.array([row.close for row in msft]) / 10_000
    last = next(row for row in reversed(rows) if row.symbol == "MSFT")
    assert last.ts_ns == msft[-1].end_ns
    assert last.values["ROC5"] == pytest.approx(closes[-6] / closes[-1])
    assert last.values["STD20"] == pytest.approx(closes[-20:].std(ddof=1) / closes[-1])
    assert set(last.values) == set(CONFIG.live)
    assert rows[0].values["ROC5"] is None
    quiet = [row for row in rows if row.symbol == "IBM"][3]  # a minute without a trade keeps the price
    assert quiet.values["KMID"] == 0.0
    assert quiet.values["KLEN"] == 0.0


def test_a_new_replay_starts_afresh_and_an_old_one_is_ignored() -> None:
    state = State()
    run(state, messages(30, 1))
    assert run(state, messages(30, 1, "r2")) == run(State(), messages(30, 1, "r2"))
    assert run(state, messages(30, 1, "r1")) == []
    session = Session("open", "flash-crash-2010", "2010-05-06", ("SPX",), (), 1, "", 1.0)
    step(state, Envelope("sessions", "1-0", Header("m", 1, 1, "", 1, "r3/before", 0, 0, 0), session))
    assert (state.session, state.live.symbols) == ("flash-crash-2010 2010-05-06", [])


class Here:
    """What the routes need of a runtime."""

    def __init__(self, state: State) -> None:
        self.state = state

    async def compute(self, function: Callable[[], object]) -> object:
        return await asyncio.get_running_loop().run_in_executor(None, function)


def test_http_face_and_its_load_profile() -> None:
    here = Here(State())
    run(here.state, messages(30, 1))
    app = Litestar(route_handlers=[*routes(here)], exception_handlers={NautilusError: _explain})  # type: ignore[arg-type,list-item]
    with TestClient(app) as client:
        listing = client.get("/factors").json()
        assert listing["count"] == len(listing["factors"]) == len(factors()) == sum(listing["blocks"].values())
        reply = client.get(
            "/evaluate", params={"expression": "close/delay( close,5 )", "symbol": "IBM", "date": "2010-05-06"}
        )
        direct = client.get("/value", params={"name": "ROC5", "symbol": "IBM", "date": "2010-05-06"})
        assert reply.json()["value"] == pytest.approx(1 / direct.json()["value"])
        assert reply.json()["expression"] == "close / delay(close, 5)"
        wrong = client.get("/evaluate", params={"expression": "close +", "symbol": "IBM"})
        assert wrong.status_code == 400
        assert "character 8" in wrong.json()["detail"]
        assert (
            client.get("/value", params={"name": "ROC6", "symbol": "IBM"})
            .json()["next"]
            .startswith("Did you mean 'ROC")
        )
        assert set(client.get("/live").json()["rows"]) == {"ESX", "IBM", "MSFT"}
        deep = "delay(" * 3 + "close" + ", 500)" * 3
        assert client.get("/evaluate", params={"expression": deep, "symbol": "IBM"}).json()["next"] == "Shorten it."
        for request in manifest.pick(manifest.discover(), "factor").load:
            if request.path != "/health":
                assert request.check is not None
                value = client.get(request.path).json()[request.check.field]
                assert request.check.low <= value <= request.check.high
    assert f"{len(factors())} factor definitions" in describe(here.state)[0]
    assert checks(here)[0].status == "ok"  # type: ignore[arg-type]
    assert engine.counters(here.state) == {"minutes": 30}
