import msgspec
import numpy as np
import pytest

from stress.load.checks import mistake
from stress.load.errors import LoadError
from stress.load.plan import Check, ClosedPhase, Kind, LoadPlan, OpenPhase, Request, Scalar, Target, checked, mistakes
from stress.load.tables import arrivals_of, bout_of, mix_of, wire_bytes

PLAN = LoadPlan(
    (
        Target("a", 8001, (Request("/x", weight=3), Request("/y", method="POST", body='{"q":1}')), 3),
        Target("b", 8002, (Request("/z"),), 2, weight=3.0),
    ),
    (OpenPhase("p", (100.0, 300.0)), ClosedPhase("c", 4, 1.0)),
)


def test_a_plan_survives_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(PLAN), type=LoadPlan) == PLAN
    assert (PLAN.connections, PLAN.duration_s) == (5, 3.0)
    assert checked(PLAN) is PLAN


def test_every_mistake_is_named_at_once() -> None:
    bad = LoadPlan(
        (Target("a", 0, (Request("no slash"),), 0), Target("a", 1, (), 1, weight=0)),
        (OpenPhase("x/y", (-1.0,)), ClosedPhase("c", 9, 0.0)),
        timeout_s=0,
    )
    found = "\n".join(mistakes(bad))
    for part in (
        "twice",
        "0 is not a port",
        "no connection",
        "no slash",
        "no request",
        "weights",
        "'x/y'",
        "timeout_s",
    ):
        assert part in found
    for part in ("non-negative rates", "concurrency must be 1 to 1", "duration and bound"):
        assert part in found
    with pytest.raises(LoadError, match="twice"):
        checked(bad)


def test_requests_are_written_as_http() -> None:
    target = PLAN.targets[0]
    assert wire_bytes(target, target.requests[0]) == b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:8001\r\n\r\n"
    head, _, body = wire_bytes(target, target.requests[1]).partition(b"\r\n\r\n")
    assert body == b'{"q":1}'
    assert b"Content-Length: 7" in head.split(b"\r\n")


def test_the_mix_splits_a_targets_share_over_its_requests() -> None:
    mix = mix_of(PLAN)
    np.testing.assert_allclose(mix.weights, [0.1875, 0.0625, 0.75])
    assert mix.target_of.tolist() == [0, 0, 1]


def test_arrivals_are_fixed_by_the_seed_and_differ_between_phases() -> None:
    mix = mix_of(PLAN)
    first, again = (arrivals_of(PLAN.phases[0], 0, PLAN, mix) for _ in range(2))
    assert (first == again).all()
    assert len(first) == 400
    assert (first["choice"] != arrivals_of(PLAN.phases[0], 1, PLAN, mix)["choice"]).any()


def test_a_bout_starts_at_its_instant() -> None:
    mix = mix_of(PLAN)
    opened = bout_of(PLAN.phases[0], 0, arrivals_of(PLAN.phases[0], 0, PLAN, mix), 10**15, PLAN)
    closed = bout_of(PLAN.phases[1], 1, arrivals_of(PLAN.phases[1], 1, PLAN, mix), 10**15, PLAN)
    assert (opened.scheduled, opened.think, opened.end) == (400, -1, 10**15 + 2 * 10**9)
    assert opened.arrivals["intended"][0] > 10**15
    assert (closed.scheduled, closed.think) == (4, 0)
    assert (closed.arrivals["intended"][:4] == 10**15).all()


@pytest.mark.parametrize(
    ("field", "equals", "tolerance", "passed"),
    [
        ("a.b.1.c", 1.5, 0.0, True),
        ("a.b.1.c", 1.4, 0.2, True),
        ("a.b.1.c", 1.4, 0.05, False),
        ("a.b.2.c", 1.5, 0.0, False),
        ("a.x", 1.5, 0.0, False),
        ("flag", True, 0.0, True),
        ("flag", 1, 0.0, False),
        ("name", "n", 0.0, True),
        ("none", None, 0.0, True),
    ],
)
def test_a_check_compares_one_field(field: str, equals: Scalar, tolerance: float, passed: bool) -> None:
    body = b'{"a":{"b":[0,{"c":1.5}]},"flag":true,"name":"n","none":null}'
    assert (mistake(Request("/", check=Check(field, equals, tolerance)), body) == "") is passed
    assert mistake(Request("/", check=Check(field, equals, tolerance)), body[:-1]) == "it is not JSON"


@pytest.mark.parametrize(
    ("fields", "passed"),
    [
        ({"a.b": "array", "a.b.0": "number", "a.b.1.c": "number", "flag": "boolean", "none": "null"}, True),
        ({"a": "object", "name": "string"}, True),
        ({"a": "array"}, False),
        ({"flag": "number"}, False),
        ({"none": "object"}, False),
        ({"name": "string", "missing": "string"}, False),
    ],
)
def test_a_reply_must_have_its_fields_and_their_kinds(fields: dict[str, Kind], passed: bool) -> None:
    body = b'{"a":{"b":[0,{"c":1.5}]},"flag":true,"name":"n","none":null}'
    assert (mistake(Request("/", fields=fields), body) == "") is passed
    assert mistake(Request("/", fields=fields, check=Check("name", "m")), body)
