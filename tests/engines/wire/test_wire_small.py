"""Settings, heartbeats and errors."""

from pathlib import Path

import pytest

from engines.wire.beat import Beats, Pulse
from engines.wire.errors import SettingsError, UnknownName
from engines.wire.settings import Settings, from_env, home
from engines.wire.state import EngineState


def test_settings_survive_the_environment(tmp_path: Path) -> None:
    settings = Settings(
        fleet="f", state=tmp_path, port_offset=7, bus_main_url="unix://:pw@/s", token="t", beat_file=tmp_path / "b",
        beat_slot=3, control_fd=9, supervisor_pid=12, zygote=True,
    )  # fmt: skip
    assert from_env(settings.to_env()) == settings


def test_a_number_that_is_none_is_named() -> None:
    with pytest.raises(SettingsError, match="NAUTILUS_PORT_OFFSET='many'"):
        from_env({"NAUTILUS_PORT_OFFSET": "many", "HOME": "/h"})


def test_home_follows_the_variables(tmp_path: Path) -> None:
    assert home({"NAUTILUS_HOME": str(tmp_path)}) == tmp_path
    assert home({"XDG_STATE_HOME": "/x", "HOME": "/h"}) == Path("/x/nautilus")
    assert home({"HOME": "/h"}) == Path("/h/.local/state/nautilus")


def test_beats_are_shared_between_openers(tmp_path: Path) -> None:
    mine, theirs = Beats(tmp_path / "b", 3, create=True), Beats(tmp_path / "b", 3)
    pulse = Pulse(42, EngineState.READY, 2**60, 5, 6)
    mine.write(2, pulse)
    assert theirs.read(2) == pulse
    assert theirs.read(1) == Pulse(0, EngineState.DECLARED, 0, 0, 0)
    theirs.clear(2)
    assert mine.read(2).pid == 0
    mine.close()
    theirs.close()


def test_unknown_name_suggests_or_lists() -> None:
    assert "Did you mean 'risk'?" in str(UnknownName("engine", "rsk", ["risk", "ml"]))
    assert "Known: ml, risk." in str(UnknownName("engine", "zzzzzz", ["risk", "ml"]))
