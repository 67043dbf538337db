"""What manifests say of their engines' replies and outcomes is whole, and is what the engines' own code has."""

import ast
from pathlib import Path
from typing import get_args

import engines.risk
from engines.risk.limits import Code
from engines.wire import manifest

ROOT = Path(engines.risk.__file__).parent
OURS = manifest.discover(Path(manifest.__file__).parents[1])


def test_every_request_says_what_its_reply_has() -> None:
    assert [f"{each.name} {request.path}" for each in OURS for request in each.load if not request.fields] == []


def test_every_request_but_health_has_a_computed_value_of_a_known_kind() -> None:
    computed = [(each.name, request) for each in OURS for request in each.load if request.path != "/health"]
    assert len(computed) > 40
    assert [f"{name} {request.path}" for name, request in computed if request.check is None] == []


def test_the_denials_of_the_risk_engine_are_its_codes() -> None:
    (risk,) = [each for each in OURS if each.name == "risk"]
    assert set(risk.denials) == set(get_args(Code))


def test_the_alerts_of_the_risk_engine_are_those_that_its_code_can_raise() -> None:
    (risk,) = [each for each in OURS if each.name == "risk"]
    assert raised() | {"position-limit", "gross-limit"} == set(risk.alerts)  # these two are passed on by name
    text = (ROOT / "model.py").read_text("utf-8")
    assert all(f'"{kind}/' in text for kind in ("position-limit", "gross-limit"))


def raised() -> set[str]:
    """The first argument of each RiskAlert that is made, where it is written out."""
    calls = [
        node
        for path in ROOT.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "RiskAlert"
    ]
    found = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    return {kind for kind in found if isinstance(kind, str)}
