"""Times of log lines, and of `--since`."""

import datetime
import time

import pytest

from engines.fleet import logtime
from engines.wire.errors import UsageError


def local(*parts: int) -> float:
    return datetime.datetime(*parts).timestamp()  # type: ignore[arg-type] # noqa: DTZ001 - local, as logs are


@pytest.mark.parametrize(
    ("line", "at"),
    [
        (b"2026-11-22 17:15:27,484 INFO uvicorn.error Started", local(2026, 11, 22, 17, 15, 27) + 0.484),
        (b"2026-11-22T17:15:27.5Z started", 1795367727.5),
        (b"2026-11-22T18:15:27+01:00 started", 1795367727.0),
        (b"2026-11-22 18:15:27,484+01:00 started", 1795367727.484),
        (b"2026-11-22 17:15:27,484250 x", local(2026, 11, 22, 17, 15, 27) + 0.48425),
        (b"2026-02-31 10:00:00,123 no such day", None),
        (b"[2026-11-22 17:15:27] ok", local(2026, 11, 22, 17, 15, 27)),
        (b"12689:M 22 Nov 2026 17:15:26.551 * Ready", local(2026, 11, 22, 17, 15, 26) + 0.551),
        (b'  File "x.py", line 3, in f', None),
        (b"2026-02-31 10:00:00 no such day", None),
        (b"x" * 80 + b"2026-11-22 17:15:27", None),
        (b"", None),
    ],
)
def test_stamp(line: bytes, at: float | None) -> None:
    found = logtime.stamp(line)
    assert (found is None) == (at is None)
    if at is not None:
        assert found == pytest.approx(at, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "ago"), [("10m", 600), ("90s", 90), ("1h30m", 5400), ("2d", 172800), ("1d2h3m4s", 93784)]
)
def test_since_ago(text: str, ago: float) -> None:
    assert logtime.since(text, now=1e6) == 1e6 - ago


def test_since_a_moment() -> None:
    assert logtime.since("2026-11-22T17:15:27Z") == 1795367727.0
    assert logtime.since("2026-11-22") == local(2026, 11, 22)
    assert logtime.since("0s") <= time.time()


@pytest.mark.parametrize("text", ["", "soon", "10", "-5m", "m", "2026-13-01", "10m ago"])
def test_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="is no time"):
        logtime.since(text)
