"""The difference between two sets of manifests."""

from msgspec.structs import replace

from engines.fleet.changes import LIVE, diff
from engines.fleet.policy import Rules
from engines.wire.manifest import Limits, Manifest

A = Manifest(name="a", title="A", port=2000)
B = Manifest(name="b", title="B", port=2001, after=("a",), command=("x",), env={"KEY": "planted", "MODE": "1"})
C = Manifest(name="c", title="C", port=2002, after=("b",))


def test_nothing() -> None:
    assert diff([A, B], [A, B], (Rules(), Rules())).empty


def test_added_removed_changed_in_the_order_of_starts() -> None:
    found = diff([A, B], [replace(C, after=("a",)), replace(A, port=2100)])
    assert (found.added, found.removed, found.restarts) == (("c",), ("b",), ("a",))
    (change,) = found.changed["a"]
    assert (change.field, change.before, change.after) == ("port", "2000", "2100")


def test_what_must_be_restarted_comes_dependencies_first() -> None:
    new = [replace(C, preload=("numpy",)), replace(B, command=("y",)), replace(A, consumes=("trades",))]
    assert diff([A, B, C], new).restarts == ("a", "b", "c")


def test_what_can_change_under_a_running_engine() -> None:
    new = replace(A, title="New", critical=True, boot_s=5.0, limits=replace(A.limits, memory_mb=9))
    found = diff([A], [new])
    assert found.restarts == () and {c.field for c in found.changed["a"]} == {"title", "critical", "boot_s", "limits"}
    assert diff([A], [replace(A, limits=Limits(files=9))]).restarts == ("a",), "open files are set at the start"
    assert set(Manifest.__struct_fields__) >= LIVE


def test_values_of_an_environment_are_not_shown() -> None:
    found = diff([A, B], [A, replace(B, env={"KEY": "planted-too", "NEW": "planted"})])
    (change,) = found.changed["b"]
    assert (change.before, change.after) == ("KEY=..., MODE=..., NEW unset", "KEY=..., MODE unset, NEW=...")
    assert "planted" not in repr(found) and found.restarts == ("b",)


def test_rules_are_live() -> None:
    found = diff([A], [A], (Rules(), Rules(stall_s=9.0)))
    assert [c.field for c in found.rules] == ["stall_s"] and not found.empty and found.restarts == ()
