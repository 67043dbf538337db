"""The seal names every raw file and every result, and tells what differs."""

import hashlib
import json
from pathlib import Path

import pytest

from reports import seal
from reports.errors import ReportError


def test_the_manifest_lists_records_and_results_with_their_sha256(run_folder: Path) -> None:
    manifest = seal.read(run_folder)
    assert manifest is not None
    kinds = ("lag-1", "lag", "risk", "risk.service-time", "strategy", "strategy.service-time", "tick-to-check",
             "tick-to-risk", "vpin", "vpin.service-time")  # fmt: skip
    logs = [f"latency/crash.{name}.hlog" for name in kinds]
    assert list(manifest.raw) == ["history.jsonl", "samples.parquet", *logs]
    own = [f"{part}_stress_test_results_20260304_100000.json" for part in ("comprehensive", "messagebus")]
    assert list(manifest.derived) == [*own, "results.json"]
    for name, digest in (manifest.raw | manifest.derived).items():
        assert hashlib.sha256((run_folder / name).read_bytes()).hexdigest() == digest
    assert json.loads((run_folder / seal.MANIFEST).read_bytes())["schema"] == "nautilus.manifest/1"
    assert seal.differences(run_folder, manifest) == []


def test_a_folder_without_history_is_not_sealed(tmp_path: Path) -> None:
    with pytest.raises(ReportError):
        seal.seal(tmp_path)
    assert seal.read(tmp_path) is None
