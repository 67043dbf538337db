"""`nautilus data fetch`: rows with their provenance out of real simulators, files, imports, and what it refuses."""

import csv
import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import msgspec
import numpy as np
import pytest
from typer.testing import Result

from engines.data.simulators import suite
from engines.data.simulators.fred import Fred
from engines.data.simulators.http_server import Fault, SimulatorServer, as_json
from engines.data.sources import registry
from engines.data.sources.cache import Cached
from engines.data.sources.endpoint import Endpoint
from engines.data.sources.source import Request, Table
from engines.wire import bundle
from nautilus_cli.exits import ExitCode

Type = Callable[..., Result]
OPEN = registry.open_cached


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatorServer]:
    """`data fetch` asks this simulator as if it were the source: the user's keys open it, and it calls itself real.

    Only here: an endpoint that claims to be real must be the published one, so the claim is made of its tables.
    """
    keys = suite.fresh_keys()
    for variable, value in keys.items():
        monkeypatch.setenv(variable, value)

    class Real(Cached):
        def answer(self, request: Request, anew: bool = False) -> tuple[Table, bool]:
            table, kept = super().answer(request, anew)
            return Table(table.columns, msgspec.structs.replace(table.provenance, simulated=False), table.units), kept

    with suite.http_server(keys) as http:

        def opened(name: str, endpoint: Endpoint, *more: object) -> Cached:
            assert not endpoint.simulated
            found = OPEN(name, http.endpoint(name), *more)  # type: ignore[arg-type] # passed through
            found.__class__ = Real
            return found

        monkeypatch.setattr(registry, "open_cached", opened)
        yield http


def test_simulated_rows_are_shown_bounded_and_called_simulated(nautilus: Type, home: Path) -> None:
    words = ("data", "fetch", "fred", "SP500", "--simulate", "--from", "2020-03-02", "--to", "2020-03-31", "-n", "2")
    first, second = nautilus(*words), nautilus(*words)
    assert first.exit_code == ExitCode.OK
    lines = first.stdout.splitlines()
    assert lines[0] == "FRED (SIMULATED): series of SP500, 22 rows, the newest of 2020-03-31"
    assert [line.split() for line in lines[1:4]] == [
        ["DATE", "VALUE"],
        ["2020-03-02", "3090.23"],
        ["2020-03-03", "3003.37"],
    ]
    assert lines[4] == "... 18 more"
    assert lines[6].split() == ["2020-03-31", f"{bundle.bar('SPX', dt.date(2020, 3, 31)).close:.2f}"]
    assert "a simulator's, no market data" in first.stdout
    assert "SIMULATED" in first.stderr
    assert "(fresh;" in first.stdout
    assert "(cached; --fresh asks again;" in second.stdout
    assert "(fresh;" in nautilus(*words, "--fresh").stdout
    assert not list((home / "data" / "cache").glob("fred/*"))
    assert nautilus("prune", "--cache").exit_code == ExitCode.OK
    assert not list((home / "data" / "cache").rglob("*.parquet"))


def test_a_document_has_every_row_with_its_provenance_and_no_secret(nautilus: Type, server: SimulatorServer) -> None:
    done = nautilus("data", "fetch", "fred", "SP500", "NASDAQCOM", "--rows", "6", "--json")
    document = json.loads(done.stdout)
    assert (document["schema"], document["source"], document["simulated"]) == ("nautilus.fetch/1", "fred", False)
    assert [each["request"]["key"] for each in document["tables"]] == ["SP500", "NASDAQCOM"]
    for each in document["tables"]:
        assert len(each["columns"]["date"]) == len(each["columns"]["value"]) == each["provenance"]["rows"] == 6
        assert (each["cached"], each["cut"]) == (False, True)
    first = document["tables"][0]["columns"]
    assert (first["date"][0], first["value"][0]) == ("2020-04-10", None)  # Good Friday
    assert os.environ["FRED_API_KEY"] not in done.output


def test_kinds_and_options_reach_the_source(nautilus: Type, server: SimulatorServer) -> None:
    done = nautilus("data", "fetch", "edgar", "facts", "AAPL", "--option", "concept=Assets", "--rows", "4", "--json")
    (table,) = json.loads(done.stdout)["tables"]
    assert (table["request"]["kind"], table["request"]["extras"]) == ("facts", {"concept": "Assets"})
    assert set(table["columns"]["concept"]) == {"Assets"}
    assert "filings of AAPL" in nautilus("data", "fetch", "edgar", "AAPL").stdout
    assert "may be more" in nautilus("data", "fetch", "fred", "SP500").stderr
    assert "may be more" not in nautilus("data", "fetch", "fred", "SP500", "--rows", "5").stderr


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_holds_every_row_and_is_overwritten_only_by_force(
    nautilus: Type, server: SimulatorServer, tmp_path: Path, ending: str
) -> None:
    file = tmp_path / f"sp.{ending}"
    words = ("data", "fetch", "fred", "SP500", "-o", str(file))
    assert nautilus(*words, "--from", "2020-04-09").exit_code == ExitCode.OK
    if ending == "csv":
        rows = list(csv.reader(file.read_text().splitlines()))
        assert rows[:3] == [["date", "value"], ["2020-04-09", "2789.82"], ["2020-04-10", ""]]
    else:
        found = duckdb.connect().sql(f"SELECT date, value FROM '{file}'").fetchall()
        assert (str(found[0][0]), found[0][1], found[1][1]) == ("2020-04-09", 2789.82, None)
    before = file.read_bytes()
    again = nautilus(*words)
    assert (again.exit_code, file.read_bytes()) == (ExitCode.USAGE, before)
    assert "--force" in again.stderr
    assert nautilus(*words, "--force").exit_code == ExitCode.OK
    assert len(file.read_bytes()) > len(before)
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == [file.name]


def test_a_series_is_imported_whole_with_where_it_comes_from(nautilus: Type, server: SimulatorServer) -> None:
    done = nautilus("data", "fetch", "fred", "NASDAQCOM", "--import", "--as", "MY.IXIC")
    assert done.exit_code == ExitCode.OK
    assert "nautilus data show MY.IXIC" in done.stderr
    theirs = bundle.bars("IXIC")
    ours = bundle.series("MY.IXIC", theirs.date[0].item())
    held = ours.value[np.isfinite(ours.value)]
    np.testing.assert_array_equal(held, np.round(theirs.close, 2))
    shown = json.loads(nautilus("data", "show", "MY.IXIC", "--json").stdout)
    assert (shown["kind"], shown["frequency"], shown["source"]) == ("series", "daily", "FRED")
    assert "series_id=NASDAQCOM" in ours.info.origin
    assert os.environ["FRED_API_KEY"] not in ours.info.origin
    taken = nautilus("data", "fetch", "fred", "NASDAQCOM", "--import", "--as", "MY.IXIC")
    assert (taken.exit_code, "--replace" in taken.stderr) == (ExitCode.USAGE, True)
    words = ("data", "fetch", "fred", "NASDAQCOM", "--import", "--as", "MY.IXIC", "--replace", "--json")
    assert json.loads(nautilus(*words).stdout)["imported"] == "MY.IXIC"


def test_daily_bars_are_imported_as_bars(nautilus: Type, server: SimulatorServer) -> None:
    words = ("data", "fetch", "alpha_vantage", "IBM", "--import", "--as", "IBM.AV")
    assert nautilus(*words).exit_code == ExitCode.OK
    ours = bundle.bars("IBM.AV")
    theirs = bundle.bars("IBM", ours.date[0].item(), ours.date[-1].item())
    np.testing.assert_allclose(ours.high, theirs.high, atol=1e-4)
    assert ours.info is not None
    assert ours.info.adjusted == "as-traded"


def test_a_monthly_series_is_called_monthly(nautilus: Type, server: SimulatorServer) -> None:
    words = ("data", "fetch", "trading_economics", "united states/stock market", "--import", "--as", "US.STOCKS")
    assert nautilus(*words).exit_code == ExitCode.OK
    assert bundle.series("US.STOCKS").info.frequency == "monthly"


def test_rows_that_cannot_be_taken_are_listed_and_nothing_is_stored(
    nautilus: Type, server: SimulatorServer, home: Path
) -> None:
    day = {"1. open": "5", "2. high": "4", "3. low": "3", "4. close": "3", "5. volume": "1"}
    server.fail("alpha_vantage", Fault(answer=as_json({"Time Series (Daily)": {"2020-01-02": day}})))
    done = nautilus("data", "fetch", "alpha_vantage", "IBM", "--import", "--as", "BAD")
    assert done.exit_code == ExitCode.FAILED
    assert "5 is outside low 3 to high 4" in done.stdout
    assert not (home / "data" / "imported").exists()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["fredd", "SP500"], ExitCode.USAGE, "Did you mean 'fred'"),
        (["edgar", "facts"], ExitCode.USAGE, "facts of what?"),
        (["fred", *map(str, range(17))], ExitCode.USAGE, "At most 16"),
        (["fred", "SP500", "--rows", "100001"], ExitCode.USAGE, "too many"),
        (["fred", "SP500", "--from", "yesterday"], ExitCode.USAGE, "Write it as"),
        (["fred", "SP500", "--from", "2020-02-02", "--to", "2020-02-01"], ExitCode.USAGE, "is after"),
        (["data_gov", "yield", "--from", "2020-02-02"], ExitCode.USAGE, "no --from"),
        (["fred", "SP500", "--option", "unit=chg"], ExitCode.USAGE, "It has: units, frequency"),
        (["fred", "SP500", "--option", "units"], ExitCode.USAGE, "NAME=VALUE"),
        (["fred", "SP500", "--as", "X"], ExitCode.USAGE, "Add --import"),
        (["fred", "SP500", "NASDAQCOM", "--import"], ExitCode.USAGE, "Only one KEY"),
        (["fred", "SPX", "--import"], ExitCode.USAGE, "in the bundle"),
        (["yahoo", "^GSPC", "--import"], ExitCode.USAGE, "--as NAME"),
        (["yahoo", "IBM", "--option", "interval=1wk", "--import"], ExitCode.USAGE, "daily bars"),
        (["edgar", "AAPL", "--import"], ExitCode.USAGE, "cannot be imported"),
        (["fred", "SP500", "-o", "x.xlsx"], ExitCode.USAGE, "names no format"),
        (["fred", "SP500", "-o", "/nowhere/x.csv"], ExitCode.USAGE, "no folder"),
        (["fred", "SP500", "--simulate", "--import"], ExitCode.USAGE, "no market data"),
        (["fred", "SP500", "--simulate", "-o", "x.csv"], ExitCode.USAGE, "taken for real"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(
    nautilus: Type, server: SimulatorServer, words: list[str], code: ExitCode, told: str
) -> None:
    done = nautilus("data", "fetch", *words)
    assert (done.exit_code, done.stdout) == (code, "")
    assert told in done.stderr
    assert not any(server.asked.values())


def test_a_source_that_refuses_is_quoted(nautilus: Type, server: SimulatorServer) -> None:
    unknown = nautilus("data", "fetch", "fred", "NOPE")
    assert (unknown.exit_code, "does not have this series" in unknown.stderr) == (ExitCode.FAILED, True)
    server._responders["fred"] = Fred(os.environ["FRED_API_KEY"].replace("a", "b") + "0")
    refused = nautilus("data", "fetch", "fred", "SP500", "--fresh")
    assert (refused.exit_code, "Check FRED_API_KEY" in refused.stderr) == (ExitCode.FAILED, True)
    assert os.environ["FRED_API_KEY"] not in refused.output
    server.fail("dbnomics", *[Fault(answer=as_json({}, 429, {"Retry-After": "3600"}))] * 9)
    throttled = nautilus("data", "fetch", "dbnomics", "SIM/CLOSE/SPX")
    assert (throttled.exit_code, "too many requests" in throttled.stderr.lower()) == (ExitCode.FAILED, True)


def test_without_a_key_nothing_is_sent_and_the_variable_is_named(
    nautilus: Type, server: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FRED_API_KEY")
    done = nautilus("data", "fetch", "fred", "SP500", "--json")
    assert done.exit_code == ExitCode.FAILED
    assert json.loads(done.stdout)["next"] == "Set FRED_API_KEY."
    assert not server.asked["fred"]


def test_a_key_in_the_line_is_neither_sent_nor_shown(nautilus: Type, server: SimulatorServer, home: Path) -> None:
    key = os.environ["FRED_API_KEY"]
    for words in (["fred", key], ["fred", "SP500", "--option", f"units={key}"], ["fred", "X", "--import", "--as", key]):
        done = nautilus("data", "fetch", *words)
        assert (done.exit_code, key in done.output) == (ExitCode.USAGE, False)
    assert not server.asked["fred"]
    nautilus("data", "fetch", "fred", "SP500")
    kept = [path for path in home.rglob("*") if path.is_file()]
    assert kept
    assert not any(key.encode() in path.read_bytes() for path in kept)


def test_ctrl_c_ends_it_at_once_with_130(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        env = os.environ | {"NAUTILUS_HOME": str(home), "IB_PORT": str(mute.getsockname()[1])}
        command = [sys.executable, "-m", "nautilus_cli", "data", "fetch", "ibkr", "AAPL"]
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            mute.settimeout(30)
            connection, _ = mute.accept()
            with connection:
                connection.recv(64)  # it has said hello, and waits for an answer
                child.send_signal(signal.SIGINT)
                out, err = child.communicate(timeout=30)
    assert (child.returncode, out, "Traceback" in err) == (ExitCode.INTERRUPTED, "", False)
