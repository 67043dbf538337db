"""Schemas: what goes in comes out, and what is no record is refused."""

import json
import math

import msgspec
import pytest

from reports import records
from tests.reports.conftest import small_history


def test_every_record_survives_the_line() -> None:
    for record in small_history():
        assert records.decode(records.encode(record)) == record


def test_a_record_carries_its_kind_and_both_clocks() -> None:
    for record in small_history():
        fields = json.loads(records.encode(record))
        assert {"type", "at", "mono_ns"} <= fields.keys()
    assert json.loads(records.encode(small_history()[5]))["type"] == "fleet_boot"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match=r"FleetBoot\.seconds"):
        records.encode(records.FleetBoot(at="", mono_ns=0, seconds=bad, engines=1))
    run = small_history()[0]
    with pytest.raises(ValueError, match=r"plan\.share"):
        records.encode(msgspec.structs.replace(run, plan={"share": [bad]}))


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"fleet_boot","at":"","mono_ns":0,"seconds":1.0,"engines":1,"extra":1}',
        b'{"type":"fleet_boot","at":"","mono_ns":0,"seconds":-1.0,"engines":1}',
        b'{"type":"fleet_boot","at":"","mono_ns":0,"seconds":null,"engines":1}',
        b'{"type":"fleet_boot","at":"","mono_ns":0,"seconds":1.0}',
        b'{"type":"from_the_future","at":"","mono_ns":0}',
        b'{"at":"","mono_ns":0}',
        b"{",
    ],
)
def test_what_is_no_record_is_refused(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        records.decode(line)
