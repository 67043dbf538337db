"""`nautilus profile`: what it prints, keeps and does not keep."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from engines.wire import routing
from stress.profiler import devices, kernels
from stress.profiler import routing as profiling

Type = Callable[..., Result]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """One kernel, two devices: numpy and one that is on no machine without an NVIDIA card."""
    chosen = [kernel._replace(quick=(2, 3)) for kernel in kernels.KERNELS if kernel.name == "covariance"]
    whole = profiling.profile

    def less(*, quick: bool, hear: Callable[[profiling.Progress], None]) -> routing.Profile:
        assert quick
        return whole(quick=True, hear=hear, chosen=chosen, ways=[devices.way("numpy"), devices.way("cuda")])

    monkeypatch.setattr(profiling, "profile", less)


def test_it_prints_the_machine_the_times_and_what_is_not_there(nautilus: Type, home: Path) -> None:
    shown = nautilus("profile", "--quick")
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert lines[0].split() == ["MACHINE", "FOUND"]
    assert any(line.startswith("processor") for line in lines)
    cuda = next(line for line in lines if line.startswith("cuda "))
    assert "NOT AVAILABLE" in cuda and "cupy" in cuda
    timed = [line.split() for line in lines if line.startswith("covariance ")]
    assert [row[1:3] for row in timed[:2]] == [["2", "assets"], ["3", "assets"]]
    assert timed[2] == ["covariance", "any", "numpy"]
    assert "preparing: numpy" in shown.stderr and "timing: numpy" in shown.stderr
    assert str(home / "profile.json") in shown.stderr
    assert routing.load(home / "profile.json").why == ""


def test_the_document_is_what_is_kept(nautilus: Type, home: Path) -> None:
    shown = nautilus("profile", "--quick", "--json", "-q")
    assert shown.exit_code == 0 and shown.stderr == ""
    document = json.loads(shown.stdout)
    assert document["schema"] == "nautilus.profile/1"
    assert document["inventory"]["usable_cores"] == devices.usable_cores()
    assert {each["device"] for each in document["timings"]} == {"numpy"}
    assert json.loads((home / "profile.json").read_bytes()) == document


@pytest.mark.parametrize("load", [0.0, 100.0])
def test_a_busy_machine_is_told_of(nautilus: Type, monkeypatch: pytest.MonkeyPatch, load: float) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))
    shown = nautilus("profile", "--quick", "--no-save")
    assert ("times are noisy" in shown.stderr) is (load > 0)


def test_nothing_is_kept_unless_wanted(nautilus: Type, home: Path) -> None:
    shown = nautilus("profile", "--quick", "--no-save")
    assert shown.exit_code == 0 and "Saved" not in shown.stderr
    assert not (home / "profile.json").exists()


def test_a_home_that_cannot_be_written_is_an_error_after_the_figures(
    nautilus: Type, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NAUTILUS_HOME", str(tmp_path / "file"))
    shown = nautilus("profile", "--quick")
    assert shown.exit_code == 1
    assert shown.stdout.startswith("MACHINE") and "not kept" in shown.stderr and "NAUTILUS_HOME" in shown.stderr
