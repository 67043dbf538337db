"""Halt, drain, stop, with toys that have open orders."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from toyfleet import ToyFleet

from engines.fleet import api, journal
from engines.fleet.policy import Rules
from engines.wire.errors import NautilusError


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ToyFleet]:
    monkeypatch.setenv("PYTHONPATH", "")
    toys = ToyFleet(
        tmp_path, "spawn", {"venue": {"orders": True}, "desk": {"orders": True, "after": ["venue"]}, "x": {}}
    )
    toys.spec = replace(toys.spec, rules=Rules(drain_s=0.4, grace_s=0.6))
    yield toys
    toys.close()


def warnings(fleet: ToyFleet) -> list[str]:
    return [entry.detail for entry in journal.read(fleet.where.journal) if entry.what == "warning"]


def test_down_halts_and_drains_before_it_stops(fleet: ToyFleet) -> None:
    fleet.habit("desk", "orders")
    fleet.up()
    fleet.until(lambda: fleet.engine("desk").open_orders == 2, "it has open orders")
    said: list[str] = []
    api.down("toy", home=fleet.home, on_event=lambda e: said.append(f"{e.name} {e.state}".strip()))
    assert said.index("drain") < said.index("desk halted") < said.index("desk stopping")
    for name in ("desk", "venue"):
        assert [line.split()[0] for line in fleet.diary(name)][-2:] == ["told", "stopped"]
    assert [line.split()[0] for line in fleet.diary("x")] == ["start", "stopped"], "it has nothing to halt"
    assert warnings(fleet) == []


def test_down_does_not_wait_for_ever_and_says_what_was_left(fleet: ToyFleet) -> None:
    fleet.habit("desk", "stubborn")
    fleet.up()
    fleet.until(lambda: fleet.engine("desk").open_orders == 2, "it has open orders")
    api.down("toy", home=fleet.home)
    assert warnings(fleet) == ["the fleet is stopped although desk has 2 open orders"]


def test_now_skips_it(fleet: ToyFleet) -> None:
    fleet.habit("desk", "stubborn")
    fleet.up()
    api.down("toy", True, home=fleet.home)
    assert "told" not in " ".join(fleet.diary("desk"))


def test_an_order_engine_with_open_orders_is_not_restarted(fleet: ToyFleet) -> None:
    fleet.habit("desk", "stubborn")
    fleet.up()
    fleet.until(lambda: fleet.engine("desk").open_orders == 2, "it has open orders")
    pid = fleet.engine("desk").pid
    with pytest.raises(NautilusError) as caught:
        api.restart("toy", "desk", home=fleet.home)
    assert "2 open orders" in str(caught.value)
    assert fleet.engine("desk").pid == pid
    fleet.until(lambda: fleet.engine("desk").state == "ready", "its orders may leave again")
    assert [line.split()[0] for line in fleet.diary("desk")] == ["start", "told", "resumed"]
    assert [line.split()[0] for line in fleet.diary("venue")] == ["start"], "it withdraws none of its own"
    assert [entry.unit for entry in journal.read(fleet.where.journal) if entry.what == "refused"] == ["desk"]
    api.restart("toy", "desk", home=fleet.home, now=True)
    assert fleet.engine("desk").pid != pid, "an operator may insist"


def test_one_whose_orders_end_is_restarted_then(fleet: ToyFleet) -> None:
    fleet.habit("desk", "orders")
    fleet.up()
    fleet.until(lambda: fleet.engine("desk").open_orders == 2, "it has open orders")
    pid = fleet.engine("desk").pid
    fleet.habit("desk")
    now = api.restart("toy", "desk", home=fleet.home)
    assert {e.name: e.state for e in now.engines}["desk"] == "ready" and fleet.engine("desk").pid != pid
    assert [line.split()[0] for line in fleet.diary("desk")] == ["start", "told", "stopped", "start"]
    fleet.until(lambda: fleet.engine("venue").state == "ready", "the other one goes on")


def test_one_without_open_orders_is_restarted_at_once(fleet: ToyFleet) -> None:
    fleet.up()
    api.restart("toy", "desk", home=fleet.home)
    assert [line.split()[0] for line in fleet.diary("desk")] == ["start", "stopped", "start"]
