import pytest

from engines.fleet.errors import AlreadyRunning, TimedOut
from engines.wire.errors import (
    BusError,
    ManifestErrors,
    NautilusError,
    NotRunning,
    PortInUse,
    SettingsError,
    UnknownName,
    UsageError,
)
from nautilus_cli.exits import of_error, of_verdict
from reports.criteria import Verdict
from reports.errors import ReportError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NautilusError("x"), 1),
        (PortInUse("x"), 1),
        (BusError("x"), 1),
        (AlreadyRunning("x"), 1),
        (ReportError("x"), 1),
        (UsageError("x"), 2),
        (UnknownName("engine", "rsk", ["risk"]), 2),
        (ManifestErrors(["x"]), 2),
        (SettingsError("x"), 2),
        (NotRunning("x"), 3),
        (TimedOut("x"), 124),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: value if isinstance(value, int) else type(value).__name__,
)
def test_of_error(error: BaseException, code: int) -> None:
    assert of_error(error) == code


def test_of_verdict_knows_every_verdict_and_trusts_no_other() -> None:
    codes = {verdict.label: int(of_verdict(verdict.label)) for verdict in Verdict}
    assert codes == {"EXCEEDED": 0, "ACHIEVED": 0, "NOT AVAILABLE": 0, "UNKNOWN": 6, "INVALID": 6, "MISSED": 5}
    assert of_verdict("SPLENDID") == 6
