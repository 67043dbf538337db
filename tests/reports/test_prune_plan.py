"""Pruning: the plan as a property, the deletion on real folders."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import prune
from reports.errors import ReportError
from reports.prune import RECENT_S, Item, Plan, Quota
from reports.records import HISTORY
from reports.seal import MANIFEST

NOW = 1_000_000.0


def item(number: int, size: int, age: float, spared: bool) -> Item:
    return Item("run", Path(f"/runs/{number}"), size, NOW - age, "in use" if spared else "")


Sizes = st.lists(st.tuples(st.integers(0, 1000), st.floats(0, 1000, allow_nan=False), st.booleans()), max_size=12).map(
    lambda rows: [item(number, *row) for number, row in enumerate(rows)]
)
Quotas = st.builds(
    Quota,
    keep=st.none() | st.integers(0, 12),
    bytes=st.none() | st.integers(0, 5000),
    older_than_s=st.none() | st.floats(0, 1000, allow_nan=False),
)


@given(items=Sizes, quota=Quotas)
def test_every_quota_is_kept_nothing_spared_goes_and_nothing_more_than_needed(items: list[Item], quota: Quota) -> None:
    plan = prune.plan(items, quota, NOW)
    assert sorted(str(each.path) for part in (plan.remove, plan.keep, plan.spared) for each in part) == sorted(
        str(each.path) for each in items
    )
    assert not any(each.spared for each in plan.remove) and all(each.spared for each in plan.spared)
    left = [*plan.keep, *plan.spared]
    free = [each for each in plan.keep if not each.spared]
    if quota.keep is not None:
        assert len(free) <= quota.keep
    if quota.older_than_s is not None:
        assert all(NOW - each.at <= quota.older_than_s for each in free)
    if quota.bytes is not None and free:
        assert sum(each.bytes for each in left) <= quota.bytes or all(
            each.at >= max(x.at for x in free) for each in free
        )
    if plan.remove:
        newest_gone = max(each.at for each in plan.remove)
        assert all(each.at >= newest_gone for each in free), "the oldest go first"
        back = plan.remove[-1]
        breaks = (
            (quota.keep is not None and sum(each.at >= back.at for each in items) > quota.keep)
            or (quota.bytes is not None and sum(each.bytes for each in left) + back.bytes > quota.bytes)
            or (quota.older_than_s is not None and NOW - back.at > quota.older_than_s)
        )
        assert breaks, "the newest of those that go would have broken a quota"
    assert plan.freed == sum(each.bytes for each in plan.remove)


def test_no_quota_deletes_nothing() -> None:
    assert Quota().empty and prune.plan([item(0, 1, 999.0, False)], Quota(), NOW).remove == ()


def run(root: Path, name: str, age: float, sealed: bool = True) -> Path:
    folder = root / name
    (folder / "latency").mkdir(parents=True)
    (folder / HISTORY).write_bytes(b"x" * 1000)
    (folder / "latency" / "a.hlog").write_bytes(b"y" * 500)
    if sealed:
        (folder / MANIFEST).write_bytes(b"{}")
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (NOW - age, NOW - age))
    return folder


def test_a_run_that_is_being_written_is_never_in_a_plan(tmp_path: Path) -> None:
    run(tmp_path, "writing", 5.0, sealed=False)
    run(tmp_path, "abandoned", RECENT_S + 60, sealed=False)
    run(tmp_path, "done", 5.0)
    plan = prune.plan(prune.runs_in(tmp_path, NOW), Quota(keep=0), NOW)
    assert {each.path.name for each in plan.remove} == {"abandoned", "done"}
    assert [each.path.name for each in plan.spared] == ["writing"]
    os.utime(tmp_path / "abandoned" / "latency" / "a.hlog", (NOW, NOW))
    again = prune.plan(prune.runs_in(tmp_path, NOW), Quota(keep=0), NOW)
    assert {each.path.name for each in again.spared} == {"writing", "abandoned"}


def test_only_what_the_plan_names_is_deleted_and_links_are_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    old, new = run(root, "old", 100.0), run(root, "new", 1.0)
    outside = run(tmp_path, "outside", 100.0)
    (root / "linked").symlink_to(outside)
    (old / "inside").symlink_to(outside)
    (root / "notes").mkdir()
    plan = prune.plan(prune.runs_in(root, NOW), Quota(keep=1), NOW)
    assert plan.freed == 1502 + (old / "inside").lstat().st_size
    prune.carry_out(plan)
    assert not old.exists() and (outside / HISTORY).is_file()
    assert {path.name for path in root.iterdir()} == {"new", "linked", "notes"} and (new / HISTORY).is_file()
    prune.carry_out(plan)  # gone already


def test_what_cannot_be_deleted_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    folder = run(tmp_path, "old", 100.0)
    with pytest.raises(ReportError, match="Cannot delete"):
        prune.carry_out(Plan((Item("run", folder, 1, NOW),), (), ()))
