"""`nautilus data replay` over a marketdata engine that is a local HTTP server here."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import Result

from engines.fleet import api
from nautilus_cli.commands import data_replay
from tests.nautilus_cli.test_cli_fleet_commands import engine, fleet

Type = Callable[..., Result]
TOKEN = "t0ken"


def answer(state: str, ticks: int, error: str = "") -> dict[str, Any]:
    feed = {
        "symbol": "AAPL", "phase": "live", "ticks": ticks, "total": 10, "missing": 1, "out_of_order": 2, "rate": 5.0,
        "peak_rate": None, "error": "",
    }  # fmt: skip
    return {
        "state": state, "replay": 1, "speed": 2.0, "ticks": ticks, "messages": 3, "behind_max_ms": 1.5, "stalls": 0,
        "restamped": 0, "error": error, "feeds": [feed],
    }  # fmt: skip


class Engine(ThreadingHTTPServer):
    """Answers GET /feeds from a list, the last one for ever."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.posts: list[tuple[str, str | None, dict[str, Any]]] = []
        self.replies = [answer("running", 4), answer("closed", 10)]
        self.refusal: dict[str, Any] | None = None


class Handler(BaseHTTPRequestHandler):
    server: Engine

    def do_GET(self) -> None:
        replies = self.server.replies
        self._send(200, replies.pop(0) if len(replies) > 1 else replies[0])

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.posts.append((self.path, self.headers["X-Nautilus-Token"], body))
        if self.server.refusal is not None:
            self._send(400, self.server.refusal)
        else:
            self._send(202, answer("starting", 0))

    def _send(self, status: int, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def marketdata(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    with Engine() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setattr(api, "status", lambda name: fleet(engine("marketdata", port=server.server_port)))
        monkeypatch.setattr(api, "token", lambda name: TOKEN)
        monkeypatch.setattr(data_replay, "_LOOK_S", 0.0)
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def five(tmp_path: Path) -> str:
    path = tmp_path / "five.parquet"
    rows = "SELECT 1 AS ts, ['A', 'B'][1 + i % 2] AS symbol, 1.0 AS price, 1 AS size FROM range(4) t(i)"
    duckdb.connect().sql(f"COPY ({rows}) TO '{path}' (FORMAT parquet)")
    return str(path)


def test_every_symbol_of_a_file_becomes_a_feed(marketdata: Engine, nautilus: Type, five: str) -> None:
    done = nautilus("data", "replay", five, "--speed", "2")
    assert done.exit_code == 0
    (post,) = marketdata.posts
    feeds = [{"symbol": name, "source": "file", "path": five} for name in ("A", "B")]
    assert post == ("/feeds", TOKEN, {"feeds": feeds, "speed": 2.0})
    assert "10" in done.stdout
    assert "10 trades in 3 messages; closed." in done.stderr


def test_symbols_are_chosen_and_the_document_is_one(marketdata: Engine, nautilus: Type, five: str) -> None:
    done = nautilus("data", "replay", five, "--symbol", "B", "--json", "--no-wait")
    document = json.loads(done.stdout)
    assert (document["schema"], document["state"]) == ("nautilus.feeds/1", "starting")
    assert [feed["symbol"] for feed in marketdata.posts[0][2]["feeds"]] == ["B"]


def test_a_file_without_symbols_is_one_feed(marketdata: Engine, nautilus: Type, tmp_path: Path) -> None:
    path = tmp_path / "ESX.parquet"
    duckdb.connect().sql(f"COPY (SELECT 1 AS ts, 1.0 AS price, 1 AS size) TO '{path}' (FORMAT parquet)")
    assert nautilus("data", "replay", str(path)).exit_code == 0
    assert [feed["symbol"] for feed in marketdata.posts[0][2]["feeds"]] == ["ESX"]


def test_what_fails_is_told(marketdata: Engine, nautilus: Type, five: str, tmp_path: Path) -> None:
    marketdata.replies = [answer("failed", 0, "no trade of AAPL")]
    failed = nautilus("data", "replay", five)
    assert failed.exit_code == 1
    assert "no trade of AAPL" in failed.stderr
    marketdata.refusal = {"detail": "Feeds are running.", "why": "One at a time.", "next": "POST /feeds/{symbol}/stop"}
    refused = nautilus("data", "replay", five)
    assert refused.exit_code == 2
    assert "One at a time." in refused.stderr
    text = tmp_path / "text.parquet"
    text.write_text("no")
    for what in ("nothere", str(tmp_path / "none.parquet"), str(text)):
        assert nautilus("data", "replay", what).exit_code == 2


def test_without_a_fleet_or_its_engine(nautilus: Type, five: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert nautilus("data", "replay", five).exit_code == 3
    monkeypatch.setattr(api, "status", lambda name: fleet(engine("risk")))
    missing = nautilus("data", "replay", five)
    assert missing.exit_code == 3
    assert "nautilus up marketdata" in missing.stderr
    monkeypatch.setattr(api, "status", lambda name: fleet(engine("marketdata", port=1)))
    monkeypatch.setattr(api, "token", lambda name: TOKEN)
    assert nautilus("data", "replay", five).exit_code == 3
