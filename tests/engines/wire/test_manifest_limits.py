"""What a manifest says of restarts, budgets and orders."""

from pathlib import Path

import pytest

from engines.wire.errors import ManifestErrors
from engines.wire.manifest import Restart, discover

BASE = 'name = "risk"\ntitle = "Risk"\nport = 8200\n'


def declared(tmp_path: Path, text: str) -> Path:
    (tmp_path / "risk").mkdir()
    (tmp_path / "risk" / "engine.toml").write_text(BASE + text)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", Restart()),
        ('restart = "never"', Restart(policy="never")),
        (
            '[restart]\npolicy = "on-failure"\ncrashes = 3\nwindow_s = 10',
            Restart(policy="on-failure", crashes=3, window_s=10.0),
        ),
        ("[restart]\ncrashes = 3", Restart(crashes=3)),
    ],
)
def test_restarts_in_a_word_or_a_table(tmp_path: Path, text: str, found: Restart) -> None:
    (manifest,) = discover(declared(tmp_path, text))
    assert manifest.restarting == found


def test_budgets_and_orders(tmp_path: Path) -> None:
    (manifest,) = discover(declared(tmp_path, "orders = true\nboot_budget_s = 2.5\nstale_s = 7\n"))
    assert (manifest.orders, manifest.boot_budget_s, manifest.stale_s) == (True, 2.5, 7.0)


def test_the_service_level_and_what_is_none(tmp_path: Path) -> None:
    (manifest,) = discover(declared(tmp_path, "[level]\nfresh_ms = 2000\n"))
    assert (manifest.level.answer_ms, manifest.level.fresh_ms) == (100.0, 2000.0)
    (tmp_path / "risk" / "engine.toml").write_text(BASE + "[level]\nanswer_ms = 0\n")
    with pytest.raises(ManifestErrors, match=r"risk/engine\.toml: level"):
        discover(tmp_path)


@pytest.mark.parametrize(
    "text", ['restart = "sometimes"', "[restart]\ncrashes = 0", "[restart]\nwindow_s = 0", "[restart]\nsometimes = 1"]
)
def test_what_is_no_rule_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(ManifestErrors, match=r"risk/engine\.toml: restart"):
        discover(declared(tmp_path, text))
