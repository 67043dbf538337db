"""The second path's columns against the same sums over plain JSON objects, one line after the other."""

import json
from array import array
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.recount_rows import Rows

HEAD = b"0" * 8 + b" " + b"0" * 8 + b" "
COUNT = st.integers(0, 9)
LOADS = st.fixed_dictionaries(
    {"type": st.just("load"), "phase": st.sampled_from("ab"), "engine": st.sampled_from(["risk", "vpin"])}
    | dict.fromkeys(("second", "scheduled", "sent", "done", "unsent"), COUNT),
    optional={"failed": st.dictionaries(st.sampled_from("xy"), COUNT), "y": st.none() | st.floats(0, 1)},
)
PROBES = st.fixed_dictionaries(
    {
        "type": st.just("health"), "phase": st.sampled_from(["a", "idle"]), "engine": st.sampled_from(["risk", "vpin"]),
        "mono_ns": COUNT, "status": st.sampled_from(["healthy", "down"]), "response_ms": st.floats(0, 9),
    },
    optional={"error": st.none() | st.just("late"), "pid": COUNT, "restarts": COUNT, "uptime_s": st.floats(0, 9)},
)  # fmt: skip
FIRST = {"type": "run"}
Record = dict[str, Any]


def lines(records: list[Record], spaced: bool = False) -> list[bytes]:
    """As they are written, or as another writer of JSON would: with spaces, and the kind in another place."""
    separators = (", ", ": ") if spaced else (",", ":")
    turned = [dict(reversed(record.items())) if spaced else record for record in records]
    return [HEAD + json.dumps(record, separators=separators).encode() + b"\n" for record in turned]


def rows(records: list[Record], spaced: bool = False) -> Rows:
    found = Rows()
    found.take(lines([FIRST, *records], spaced))
    return found


@given(st.lists(LOADS, max_size=30), st.booleans())
def test_seconds_add_up(records: list[Record], spaced: bool) -> None:
    seconds = rows(records, spaced).seconds
    sums: dict[tuple[str, str], list[int]] = {}
    for each in records:
        own = sums.setdefault((each["phase"], each["engine"]), [0] * 5)
        failed = sum(each.get("failed", {}).values())
        for place, count in enumerate((each["scheduled"], each["sent"], each["done"], failed, each["unsent"])):
            own[place] += count
    assert seconds.sums == sums
    hard = [each for each in records if each["phase"] == "a" and (each.get("y") or 0) >= 0.5]
    due = {each["second"] for each in hard}
    assert seconds.stressed("a") == (sum(each["done"] for each in hard) / len(due) if due else None)
    free: dict[int, tuple[int, int]] = {}
    for each in records:
        if each["phase"] == "a" and each.get("y") is None:
            gained, done = free.get(each["second"], (0, 0))
            lost = sum(each.get("failed", {}).values())
            free[each["second"]] = gained + each["sent"] - each["done"] - lost, done + each["done"]
    assert seconds.unshaped("a") == free
    risk = [each for each in records if (each["phase"], each["engine"]) == ("a", "risk")]
    late: dict[int, int] = {}
    for each in risk:
        late[each["second"]] = late.get(each["second"], 0) + each["unsent"]
    assert seconds.each("a", "risk")["unsent"].tolist() == [late[second] for second in sorted(late)]


@given(st.lists(PROBES, max_size=30), st.booleans())
def test_probes_are_counted(records: list[Record], spaced: bool) -> None:
    found = rows(records, spaced)
    probes = found.probes
    risk = [each for each in records if each["engine"] == "risk"]
    well = [each for each in risk if each["status"] == "healthy" and each.get("error") is None]
    assert probes.well(probes.chosen(engine="risk")) == (len(well), len(risk))
    idle = [each["response_ms"] for each in records if each["phase"] == "idle"]
    assert probes.took_ms(probes.chosen("idle")) == idle
    last = probes.last(probes.chosen(engine="risk") & (probes.at >= 5))
    late = [each for each in risk if each["mono_ns"] >= 5]
    told = [(each["status"], each.get("error") is not None, each.get("pid"), each.get("restarts")) for each in late]
    assert last == (None if not late else (told[-1], late[-1].get("uptime_s")))
    for where in ({}, {"phase": "idle"}, {"engine": "vpin"}, {"phase": "a", "engine": "risk"}, {"phase": "never"}):
        same = [each for each in records if all(each[key] == value for key, value in where.items())]
        assert found.count({"type": "health", **where}) == len(same)


def test_a_line_that_holds_no_object_is_left_out_and_one_without_its_end_is_the_last() -> None:
    load = {"type": "load", "phase": "a", "engine": "risk", "second": 0, "scheduled": 1, "sent": 1, "done": 1}
    whole, *_ = lines([load | {"unsent": 0}])
    found = Rows()
    cut = whole[:-9] + b"\n"
    found.take([*lines([FIRST]), whole, cut, HEAD + b"7\n", whole, whole[:-1], whole])
    assert found.seconds.sums == {("a", "risk"): [2, 2, 2, 0, 0]}
    assert found.last == load | {"unsent": 0}


@pytest.mark.parametrize("spaced", [False, True])
@pytest.mark.parametrize("change", [{"done": None}, {"done": "1"}, {"done": -1}, {"done": 2**41}, {"phase": 3}])
def test_a_field_that_is_missing_or_of_another_kind_raises(change: Record, spaced: bool) -> None:
    fields = dict.fromkeys(("second", "scheduled", "sent", "done", "unsent"), 0)
    load = {"type": "load", "phase": "a", "engine": "risk", **fields} | change
    with pytest.raises(msgspec.ValidationError):
        rows([load], spaced)
    if load["done"] is None:
        del load["done"]
        with pytest.raises(msgspec.ValidationError):
            rows([load], spaced)


@given(st.lists(LOADS | PROBES, max_size=30))
def test_what_lets_go_of_its_columns_still_knows_how_many_there_were(records: list[Record]) -> None:
    found, whole = rows(records), rows(records)
    found.forget()
    for kind in ("load", "health"):
        for where in ({}, {"phase": "a"}, {"engine": "risk"}, {"phase": "b", "engine": "vpin"}, {"phase": "no"}):
            assert found.count({"type": kind, **where}) == whole.count({"type": kind, **where})
    columns = [*vars(found.seconds).values(), *found.seconds._counts.values(), *vars(found.probes).values()]
    assert sum(column.buffer_info()[1] for column in columns if isinstance(column, array)) == 0
