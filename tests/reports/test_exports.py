"""JUnit XML and OpenMetrics, read back by the readers of their fields; and the signature."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from reports import render_junit, render_openmetrics, runs, seal, signature, verify
from reports.errors import ReportError
from reports.model import Report
from tests.reports.conftest import Edit, build, change_end

KEY = b"a key of this test alone"


def report_of(folder: Path, edit: Edit = list) -> tuple[ET.Element, Report]:
    """A run's JUnit suite and its report."""
    report = runs.load(build(folder / "run", edit))
    suite = ET.fromstring(render_junit.render(report)).find("testsuite")
    assert suite is not None
    return suite, report


def test_junit_has_a_case_a_criterion_and_counts_them(tmp_path: Path) -> None:
    suite, report = report_of(tmp_path)
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == [item.title for item in report.criteria]
    assert int(suite.get("tests", "0")) == len(cases)
    for kind, names in (("failure", {"MISSED"}), ("error", {"UNKNOWN", "INVALID"}), ("skipped", {"NOT AVAILABLE"})):
        wanted = [item.title for item in report.criteria if item.verdict.label in names]
        assert [case.get("name") for case in cases if case.find(kind) is not None] == wanted
        counter = {"failure": "failures", "error": "errors", "skipped": "skipped"}[kind]
        assert int(suite.get(counter, "-1")) == len(wanted)


def test_junit_of_an_interrupted_run_is_never_green(tmp_path: Path) -> None:
    suite, _ = report_of(tmp_path, change_end("interrupted", 'by "you" & <me>\x00'))
    last = suite.findall("testcase")[-1]
    error = last.find("error")
    assert last.get("name") == "the run is whole"
    assert error is not None
    assert 'by "you" & <me>' in (error.get("message") or "")
    assert int(suite.get("errors", "0")) == len(suite.findall("testcase/error"))


def test_openmetrics_is_read_by_the_reference_parser(tmp_path: Path) -> None:
    report = runs.load(build(tmp_path / "run"))
    families = {family.name: family for family in text_string_to_metric_families(render_openmetrics.render(report))}
    samples = {sample.labels["id"]: sample.value for sample in families["nautilus_figure"].samples}
    assert samples == {figure.id: figure.number for figure in report.figures if figure.number is not None}
    assert any(figure.number is None for figure in report.figures)
    on = {
        sample.labels["criterion"]: sample.labels["nautilus_verdict"]
        for sample in families["nautilus_verdict"].samples
        if sample.value == 1
    }
    assert on == {item.id: item.verdict.label for item in report.criteria}
    assert families["nautilus_run_whole"].samples[0].value == 1


def test_exports_are_verified_like_every_document(run_folder: Path) -> None:
    runs.render(run_folder, ("junit", "openmetrics"), with_plots=False)
    assert verify.verify(run_folder).ok
    path = run_folder / runs.JUNIT
    path.write_text(path.read_text().replace("<failure", "<system-out").replace("ACHIEVED", "EXCEEDED", 1))
    found = verify.verify(run_folder)
    assert [item.name for item in found.mismatches] == [runs.JUNIT]


def test_a_signature_binds_the_seal_to_the_key(run_folder: Path) -> None:
    assert verify.verify(run_folder).signature == "unsigned"
    signature.sign(run_folder, KEY)
    assert verify.verify(run_folder, KEY).signature == "valid"
    assert verify.verify(run_folder, KEY).ok
    assert verify.verify(run_folder).signature == "unchecked"
    other = verify.verify(run_folder, b"another key, as long as it")
    assert (other.ok, other.signature) == (False, "wrong")
    seal.seal(run_folder)  # the same bytes: a seal of its own changes nothing
    assert verify.verify(run_folder, KEY).ok
    manifest = run_folder / seal.MANIFEST
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    assert verify.verify(run_folder, KEY).signature == "wrong"
    (run_folder / signature.SIGNATURE).unlink()
    found = verify.verify(run_folder, KEY)
    assert (found.ok, found.signature) == (False, "absent")


def test_the_key_comes_from_the_environment_and_is_long_enough(tmp_path: Path) -> None:
    assert signature.key_of({}) is None
    assert signature.key_of({signature.VARIABLE: "x" * 16}) == b"x" * 16
    with pytest.raises(ReportError, match="too short") as refused:
        signature.key_of({signature.VARIABLE: "hunter2"})
    assert "hunter2" not in str(refused.value)
    with pytest.raises(ReportError, match="Cannot sign"):
        signature.sign(tmp_path, KEY)
