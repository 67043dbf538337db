"""What a supervisor makes sure of first."""

import os
from pathlib import Path

import pytest

from engines.fleet import folders, ground
from engines.fleet.errors import AlreadyRunning
from engines.wire.errors import UnknownName
from engines.wire.manifest import Manifest


def manifest(name: str, port: int, *after: str) -> Manifest:
    return Manifest(name=name, title=name, port=port, after=after)


DECLARED = (manifest("feed", 1), manifest("risk", 2, "feed"), manifest("plan", 3, "risk"), manifest("lone", 4))


def test_an_engine_brings_what_it_starts_after() -> None:
    assert ground.closure(DECLARED, ["plan"]) == ("feed", "risk", "plan")
    assert ground.closure(DECLARED, ["lone", "feed"]) == ("feed", "lone")
    assert ground.closure(DECLARED, None) == ("feed", "risk", "plan", "lone")
    with pytest.raises(UnknownName, match="Did you mean 'risk'"):
        ground.closure(DECLARED, ["rsk"])


def test_one_lock_one_holder(tmp_path: Path) -> None:
    where = folders.of("f", tmp_path)
    where.state.mkdir()
    lock = ground.take_lock(where)
    with pytest.raises(AlreadyRunning, match="already up"):
        ground.take_lock(where)
    os.close(lock)
    os.close(ground.take_lock(where))
