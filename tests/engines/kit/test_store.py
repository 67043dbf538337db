"""What is exported is what was recorded, whole files only."""

import asyncio
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import numpy as np
import pytest

from engines.backend.recorder import Recorder
from engines.backend.service import engine
from engines.kit.store import (
    Batch,
    Position,
    Store,
    StoreError,
    parquet_file,
    read_messages,
    read_ticks,
)
from engines.wire.bus import MemoryBus, Output
from engines.wire.errors import DataError, Fenced
from engines.wire.messages import Body, Header, RiskAlert, Trades, decode, encode_body, encode_header
from engines.wire.ticks import TRADE

EMPTY = Batch([], [], [])


def output(body: Body, seq: int, trace: str) -> Output:
    header = Header("source", 2, seq, f"trades/{seq}-0", 1, trace, 10**18 + seq, 3, 4)
    return Output(body.TOPIC, encode_header(header), encode_body(body))


def trades() -> Trades:
    rows = np.zeros(6, TRADE)
    rows["ts"] = np.arange(6)
    rows["symbol"] = [2, 1, 2, 2, 1, 1]
    rows["side"] = [1, -1, 1, -1, 1, -1]
    rows["price"] = np.arange(6) * 10
    rows["size"] = 5
    return Trades(("SPX", "AAPL", "ES"), rows.tobytes())


def record(store: Store, outputs: list[Output]) -> None:
    async def run() -> None:
        bus = MemoryBus()
        unit = Recorder(engine, ["trades", "risk-alerts"], bus, time.monotonic_ns, store)
        await unit.claim()
        await bus.append([(out, f"{n + 1}-0") for n, out in enumerate(outputs)])
        await unit.process(await bus.read(unit.positions, 100, 0))
        await unit.flush()

    asyncio.run(run())


def alert(value: float) -> RiskAlert:
    return RiskAlert("drawdown", "AAPL", value, 1.0, "é")


def test_two_exports_of_one_run_at_once_both_succeed(tmp_path: Path) -> None:
    """As when a run that closed is exported while somebody asks for it."""
    store = Store(tmp_path / "s.duckdb")
    record(store, [output(alert(n), n, f"r1/{n}") for n in range(1, 21)])
    both = threading.Barrier(2)

    def export(_: int) -> list[Path]:
        both.wait()
        return store.export(tmp_path / "p", "r1")

    with ThreadPoolExecutor(2) as pool:
        written = [*pool.map(export, range(2))]
    assert len({file for files in written for file in files}) == 20
    assert len([*(tmp_path / "p").rglob("*.parquet*")]) == 20  # nothing is left of a draft


def test_an_export_holds_every_message_and_tick_of_the_run_and_no_other(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.duckdb")
    sent = [output(alert(n), n, f"r{n % 2}/window") for n in range(1, 6)] + [output(trades(), 1, "r1/window")]
    record(store, sent)
    files = store.export(tmp_path / "p", "r1")
    assert {file.relative_to(tmp_path / "p").as_posix() for file in files} == {
        "risk-alerts/r1/window.parquet",
        "trades/r1/window.parquet",
        "ticks/r1/window.parquet",
    }
    found = read_messages(tmp_path / "p", "risk-alerts", "r1/window")
    expected = [decode(o.topic, f"{n + 1}-0", o.header, o.body) for n, o in enumerate(sent[:5]) if n % 2 == 0]
    assert found == expected
    assert read_messages(tmp_path / "p", "risk-alerts", "r1/window", 2) == expected[-2:]
    symbols, rows = read_ticks(tmp_path / "p", "r1/window")
    given = np.frombuffer(trades().rows, TRADE)
    names = np.array(symbols)[rows["symbol"]]
    assert list(names) == [("SPX", "AAPL", "ES")[k] for k in given["symbol"]]
    for column in ("ts", "side", "price", "size"):
        np.testing.assert_array_equal(rows[column], given[column])
    text = duckdb.connect().execute(f"SELECT json->>'detail' FROM '{files[0]}' LIMIT 1").fetchone()
    assert text == ("é",)


def test_an_export_is_written_again_only_when_more_was_recorded(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.duckdb")
    record(store, [output(alert(1), 1, "r1")])
    (file,) = store.export(tmp_path / "p", "r1")
    inode = file.stat().st_ino
    assert store.export(tmp_path / "p", "r1") == []
    assert file.stat().st_ino == inode
    record(store, [output(alert(2), 2, "r1")])
    assert store.export(tmp_path / "p", "r1") == [file]
    assert file.stat().st_ino != inode  # replaced, never changed
    assert len(read_messages(tmp_path / "p", "risk-alerts", "r1")) == 2
    assert [path.name for path in file.parent.iterdir()] == ["r1.parquet"]


def test_reading_works_while_the_writer_holds_the_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.duckdb")
    record(store, [output(trades(), 1, "r1")])
    store.export(tmp_path / "p", "r1")
    code = (
        "import sys, duckdb; from pathlib import Path; from engines.kit.store import read_ticks\n"
        f"print(read_ticks(Path({str(tmp_path / 'p')!r}), 'r1')[1].size)\n"
        f"try: duckdb.connect({str(store.file)!r}, read_only=True)\n"
        "except duckdb.IOException: print('locked')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["6", "locked"]


def test_what_was_not_exported_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="POST /export"):
        read_messages(tmp_path, "fills", "r9/window")


@pytest.mark.parametrize("trace", ["../../etc/passwd", "/abs/x", "..", "", "a//b", "r1/../../x", "q'uote"])
def test_no_trace_leads_out_of_its_topic(tmp_path: Path, trace: str) -> None:
    file = parquet_file(tmp_path, "fills", trace)
    assert (tmp_path / "fills").resolve() in file.resolve().parents
    store = Store(tmp_path / "s.duckdb")
    record(store, [output(alert(1), 1, trace)])
    run = trace.partition("/")[0]
    (written,) = store.export(tmp_path / "p", run)
    assert (tmp_path / "p" / "risk-alerts").resolve() in written.resolve().parents
    assert len(read_messages(tmp_path / "p", "risk-alerts", trace)) == 1


def test_a_fenced_write_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.duckdb")
    store.open()
    store.claim(1)
    store.write(1, EMPTY, Position({"fills": "1-0"}, b"a"), 0)
    store.claim(2)
    with pytest.raises(Fenced):
        store.write(1, EMPTY, Position({"fills": "9-0"}, b"b"), 0)
    assert store.claim(3) == Position({"fills": "1-0"}, b"a")
    store.close()
    with pytest.raises(StoreError):
        store.claim(4)


def test_a_file_that_is_no_store_says_so(tmp_path: Path) -> None:
    (tmp_path / "s.duckdb").write_text("not a database, but long enough to have a header" * 200)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(tmp_path / "s.duckdb").open()
