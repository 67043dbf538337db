"""`nautilus data bundle`, `show`, `import` and `pull`, for people and for programs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from engines.data import pull as pulling
from engines.wire import bundle
from nautilus_cli.commands.data_show import sketch
from nautilus_cli.exits import ExitCode

Type = Callable[..., Result]


def test_bundle_lists_every_file_with_its_licence_and_checks_its_bytes(nautilus: Type) -> None:
    done = nautilus("data", "bundle", "--check")
    assert done.exit_code == ExitCode.OK
    assert "sp500_daily.parquet" in done.stdout
    document = json.loads(nautilus("data", "bundle", "--json").stdout)
    assert document["schema"] == "nautilus.bundle-files/1"
    assert {one["file"] for one in document["files"]} == {path.name for path in bundle.FOLDER.glob("*.parquet")}
    assert document["ok"]
    assert document["bytes"] == sum(path.stat().st_size for path in bundle.FOLDER.glob("*.parquet")) < 6_000_000


def test_a_changed_import_fails_the_check(nautilus: Type, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("date,close\n2020-01-02,1.5\n2020-01-03,1.6\n")
    assert nautilus("data", "import", str(file), "--symbol", "MINE").exit_code == ExitCode.OK
    stored = home / "data" / "imported" / "MINE.parquet"
    stored.write_bytes(stored.read_bytes() + b"x")
    done = nautilus("data", "bundle", "--check")
    assert done.exit_code == ExitCode.FAILED
    assert "Not what was recorded: MINE.parquet" in done.stderr


def test_show_tells_range_adjustment_and_moves(nautilus: Type) -> None:
    done = nautilus("data", "show", "SPX", "--start", "2008-09-01", "--end", "2008-12-31", "-n", "1")
    assert done.exit_code == ExitCode.OK
    assert "worst day 2008-10-15 -9.03 %" in done.stdout
    assert "0 sessions missing" in done.stdout
    document = json.loads(nautilus("data", "show", "NVDA", "--json").stdout)
    assert (document["adjusted"], document["rows"], document["gap_count"]) == ("split-adjusted", 2699, 0)
    assert json.loads(nautilus("data", "show", "AAPL", "--source", "skfolio", "--json").stdout)["kind"] == "closes"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["AAPLE"], ExitCode.USAGE, "Did you mean 'AAPL'"),
        (["SPX", "--start", "2010-05-08", "--end", "2010-05-08"], ExitCode.FAILED, "Saturday"),
        (["SPX", "--start", "tomorrow"], ExitCode.USAGE, "Write it as"),
        (["SPX", "--start", "2010-05-08", "--end", "2010-05-01"], ExitCode.USAGE, "is after end"),
        (["AAPL", "--source", "yahoo"], ExitCode.USAGE, "no source of AAPL"),
    ],
)
def test_show_says_what_is_wrong(nautilus: Type, words: list[str], code: ExitCode, told: str) -> None:
    done = nautilus("data", "show", *words)
    assert done.exit_code == code
    assert told in done.stderr


def test_import_stores_shows_and_refuses(nautilus: Type, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "cl.csv"
    file.write_text("date,open,high,low,close\n2020-04-17,20,20.5,17,18\n2020-04-20,17,17.9,-40.3,-37.6\n")
    words = ("data", "import", str(file), "--symbol", "CL.USER", "--adjusted", "as-traded")
    dry = nautilus(*words, "--dry-run")
    assert dry.exit_code == ExitCode.OK
    assert "nothing was stored" in dry.stderr
    assert not (home / "data").exists()
    done = json.loads(nautilus(*words, "--json").stdout)
    assert (done["stored"], done["rows"], len(done["flags"]), done["problems"]) == (True, 2, 2, [])
    shown = nautilus("data", "show", "CL.USER")
    assert shown.exit_code == ExitCode.OK
    assert "a return on it means nothing" in shown.stdout
    assert "-37.6" in shown.stdout


def test_import_lists_every_bad_row_and_ends_1(nautilus: Type, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(
        "date,open,high,low,close,volume\n2020-01-02,1,2,1,1,-3\n03/01/2020,1,2,1,1,3\n2020-01-06,1,0,1,1,3\n"
    )
    for words in ((), ("--dry-run",)):
        done = nautilus("data", "import", str(file), "--symbol", "BAD", *words)
        assert done.exit_code == ExitCode.FAILED
        for told in ("-3 is negative", "'03/01/2020' is not like", "0 is below the low 1"):
            assert told in done.stdout
        assert "Nothing was imported" in done.stderr
    document = json.loads(nautilus("data", "import", str(file), "--symbol", "BAD", "--json").stdout)
    assert [one["row"] for one in document["problems"]] == [2, 3, 4]
    assert not (home / "data").exists()
    assert nautilus("data", "import", str(file), "--symbol", "SPX").exit_code == ExitCode.USAGE


def test_pull_prints_the_rights_and_names_what_there_is(nautilus: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object) -> None:
        raise pulling.DataError("pip could not download mlfinpy==0.1.2.", "no index", "Check pip's index.")

    monkeypatch.setattr(pulling.pull, "__defaults__", (offline,))
    done = nautilus("data", "pull", "emini-2013")
    assert done.exit_code == ExitCode.FAILED
    assert "do not pass it on" in done.stderr
    assert "Check pip's index" in done.stderr
    assert nautilus("data", "pull", "emini").exit_code == ExitCode.USAGE


def test_the_sketch_spans_lowest_to_highest() -> None:
    assert sketch([1.0, 2.0, float("nan"), 9.0]) == "▁▂ █"
    assert sketch([5.0, 5.0]) == "▁▁"
    assert sketch([]) == ""
