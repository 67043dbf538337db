"""The day kept on disk: it comes back whole or not at all."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.marketdata.kept import NAME, KeptDay
from engines.marketdata.request import ReplayRequest
from tests.engines.marketdata.days import small_day

REQUEST = ReplayRequest(seed=7, quick=True)
DAY = small_day([float(n) for n in range(30)], 7, REQUEST)
DIGEST = DAY.evidence.digest


def test_it_comes_back_as_it_was_and_only_for_its_own_tape(tmp_path: Path) -> None:
    kept = KeptDay(tmp_path)
    assert kept.read(REQUEST, DIGEST) is None
    kept.write(DAY)
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    found = kept.read(REQUEST, DIGEST)
    assert found is not None and found.evidence == DAY.evidence
    assert all(np.array_equal(a, b) for a, b in zip(found.streams, DAY.streams, strict=True))
    assert kept.read(REQUEST, "another") is None
    kept.drop()
    kept.drop()
    assert kept.read(REQUEST, DIGEST) is None


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_damaged_anywhere_is_not_read(tmp_path: Path, data: st.DataObject) -> None:
    kept, path = KeptDay(tmp_path), tmp_path / NAME
    kept.write(DAY)
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(whole[:at])
    else:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :])
    assert kept.read(REQUEST, DIGEST) is None


def test_a_folder_that_takes_nothing_keeps_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = KeptDay(tmp_path / "gone")
    kept.write(DAY)
    assert "not kept" in caplog.text and kept.read(REQUEST, DIGEST) is None
