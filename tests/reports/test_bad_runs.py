"""Bad run folders: rendered as far as they go with the gap named, or refused; never a traceback, never a pass."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from reports import chain, records, runs, seal
from reports.criteria import Verdict
from reports.errors import ReportError
from reports.records import HISTORY
from reports.verify import Verification, verify
from tests.reports.conftest import build, finish, payloads, small_history, write_history, write_payloads

Damage = Callable[[Path], object]
HEAD_LINE, ANY_LINE = 0, 20


def resealed(folder: Path) -> Verification:
    """Rendered and sealed again, as far as that goes, then verified."""
    try:
        runs.render(folder, with_plots=False)
    except ReportError as error:
        assert error.what and error.why
    seal.seal(folder)
    return verify(folder)


def headline(folder: Path) -> str:
    return runs.load(folder).headline


def lines(change: Callable[[list[bytes]], list[bytes]]) -> Damage:
    """Damage to the records, with a good chain."""
    return lambda folder: write_payloads(folder, change(payloads(folder)))


def raw(change: Callable[[bytes], bytes]) -> Damage:
    """Damage to the bytes of the history."""
    return lambda folder: (folder / HISTORY).write_bytes(change((folder / HISTORY).read_bytes()))


def at(place: int, change: Callable[[dict[str, object]], object]) -> Damage:
    """Damage to the fields of one record, with a good chain."""

    def edit(found: list[bytes]) -> list[bytes]:
        fields = json.loads(found[place])
        change(fields)
        return [*found[:place], json.dumps(fields).encode(), *found[place + 1 :]]

    return lines(edit)


NAMED: dict[str, tuple[Damage, str]] = {
    "cut mid-record": (raw(lambda text: text[:-30]), "cut in mid-line"),
    "a line swapped with the next": (
        raw(lambda text: b"".join([*(part := text.splitlines(keepends=True))[:5], part[6], part[5], *part[7:]])),
        "its link does not name the line before it",
    ),
    "records out of order": (
        lines(lambda found: [*found[:9], *found[24:40], *found[9:24], *found[40:]]),
        "its clock went back",
    ),
    "a clock that went back in the middle": (at(40, lambda fields: fields.update(mono_ns=5_200_000_000)), "went back"),
    "a newer schema": (at(HEAD_LINE, lambda fields: fields.update(schema=2)), "schema 2, this version reads 1"),
    "a record kind of the future": (at(ANY_LINE, lambda fields: fields.update(type="portent")), "line 21"),
    "a field of the future": (at(ANY_LINE, lambda fields: fields.update(omen=1)), "omen"),
    "another run record": (lines(lambda found: [*found[:9], found[0], *found[9:]]), "another run record"),
    "a record after the end": (lines(lambda found: [*found, found[-2]]), "a record after the end"),
    "a phase without its end": (
        lines(lambda found: [line for line in found if b'"event":"end"' not in line or b'"crash"' not in line]),
        "the phase crash has no end",
    ),
    "no end": (lines(lambda found: found[:-1]), "the record has no end"),
    "only the run record": (lines(lambda found: found[:1]), "the record has no end"),
    "not a number": (at(ANY_LINE, lambda fields: fields.update(mono_ns=float("nan"))), "line 21"),
    "infinity": (at(ANY_LINE, lambda fields: fields.update(y=float("inf"))), "line 21"),
    "a line of four megabytes": (
        lines(lambda found: [*found[:9], b'"' + b"x" * 4_000_000 + b'"', *found[9:]]),
        "line 10",
    ),
    "binary garbage in the middle": (
        raw(lambda text: text[: len(text) // 2] + os.urandom(9999) + text[len(text) // 2 :]),
        "lines after it are not read",
    ),
}


@pytest.mark.parametrize("case", NAMED)
def test_the_gap_is_named_in_the_first_line_and_it_is_never_a_pass(run_folder: Path, case: str) -> None:
    damage, words = NAMED[case]
    damage(run_folder)
    assert not verify(run_folder).ok, "with the seal and the documents of the whole run"
    assert words in headline(run_folder)
    found = resealed(run_folder)
    report = runs.load(run_folder)
    assert report.verdict > Verdict.NOT_AVAILABLE
    assert (run_folder / "REPORT.md").read_text().splitlines()[0].startswith(f"# {report.verdict.label} (INTERRUPTED, ")
    incomplete = case in {"a phase without its end", "no end", "only the run record"}
    assert found.ok == incomplete, "sealed anew, only a run that merely stopped early may verify: as what it is"


REFUSED: dict[str, Damage] = {
    "empty": raw(lambda text: b""),
    "only binary garbage": raw(lambda text: os.urandom(5000)),
    "no run record first": lines(lambda found: found[1:]),
    "an engine twice": at(HEAD_LINE, lambda fields: fields.update(engines=["risk", "risk"])),
    "zeros": raw(lambda text: bytes(len(text))),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_run_is_refused_with_its_reason(run_folder: Path, case: str) -> None:
    REFUSED[case](run_folder)
    assert not verify(run_folder).ok
    with pytest.raises(ReportError) as refused:
        runs.load(run_folder)
    assert refused.value.why
    assert refused.value.next_step
    assert not resealed(run_folder).ok


def test_no_history_and_one_that_is_a_folder_are_refused(run_folder: Path) -> None:
    (run_folder / HISTORY).unlink()
    for _ in range(2):
        for use in (verify, runs.load):
            with pytest.raises(ReportError):
                use(run_folder)
        (run_folder / HISTORY).mkdir(exist_ok=True)


@pytest.mark.parametrize("name", ["latency/crash.risk.hlog", "samples.parquet"])
@pytest.mark.parametrize("content", [None, b"", b"PAR1garbage", b"#[Histogram log]\n0,1,1,AAAA\n"])
def test_a_missing_or_spoilt_record_file_makes_its_figures_unknown(
    run_folder: Path, name: str, content: bytes | None
) -> None:
    (run_folder / name).unlink()
    if content is not None:
        (run_folder / name).write_bytes(content)
    assert name in {item.name for item in verify(run_folder).mismatches}
    resealed(run_folder)
    figures = runs.load(run_folder).figures
    wanted = "load.crash.risk.p99_ms" if "hlog" in name else "host.cpu_mean_percent"
    assert figures[wanted].value is None
    assert wanted in (run_folder / "REPORT.md").read_text().split("## What was not measured")[1]


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b'{"schema":"nautilus.manifest/1","raw":[]}', b"\xff\xfe"])
def test_a_manifest_that_is_none_is_a_mismatch(run_folder: Path, content: bytes) -> None:
    (run_folder / seal.MANIFEST).write_bytes(content)
    found = verify(run_folder)
    assert (found.ok, found.status) == (False, "mismatch")
    assert seal.MANIFEST in {item.name for item in found.mismatches}


def test_a_manifest_makes_nobody_read_outside_the_folder(run_folder: Path) -> None:
    outside = run_folder.parent / "outside.json"
    outside.write_text("{}")
    for name in ("../outside.json", str(outside)):
        manifest = json.loads((run_folder / seal.MANIFEST).read_bytes())
        manifest["raw"][name] = seal.digest(outside)
        (run_folder / seal.MANIFEST).write_text(json.dumps(manifest))
        found = {item.name: item.recomputed for item in verify(run_folder).mismatches}
        assert found[name] == "sealed, but missing"


def test_a_record_that_names_a_log_outside_the_folder_finds_none(run_folder: Path) -> None:
    log = run_folder / "latency/crash.risk.hlog"
    (run_folder.parent / "outside.hlog").write_bytes(log.read_bytes())
    for name in ("../outside.hlog", str(run_folder.parent / "outside.hlog"), "latency/../../outside.hlog"):
        place = next(n for n, line in enumerate(payloads(run_folder)) if b'"type":"load_summary"' in line)
        at(place, lambda fields, name=name: fields.update(hlog=name))(run_folder)  # type: ignore[misc]
        assert resealed(run_folder).ok
        assert runs.load(run_folder).figures["load.crash.risk.p99_ms"].value is None


@pytest.mark.parametrize("name", [HISTORY, "samples.parquet", "latency/crash.risk.hlog", "REPORT.md", "latency"])
def test_a_link_in_the_folder_is_no_part_of_the_run(run_folder: Path, name: str) -> None:
    elsewhere = run_folder.parent / "elsewhere"
    (run_folder / name).rename(elsewhere)
    (run_folder / name).symlink_to(elsewhere)
    assert name in {item.name for item in verify(run_folder).mismatches}


def test_nothing_is_rendered_through_a_link(run_folder: Path) -> None:
    elsewhere = run_folder.parent / "elsewhere"
    elsewhere.mkdir()
    for name in ("plots", "runbooks"):
        if (run_folder / name).is_dir():
            (run_folder / name).rename(run_folder.parent / name)
        (run_folder / name).symlink_to(elsewhere)
    with pytest.raises(ReportError, match="link to another place"):
        runs.render(run_folder)
    assert list(elsewhere.iterdir()) == []


def test_names_that_are_no_text_and_folders_in_place_of_files(run_folder: Path) -> None:
    (run_folder / os.fsdecode(b"latency/\xff.hlog")).write_bytes(b"#\n")
    assert not verify(run_folder).ok
    assert resealed(run_folder).ok, "a log that nobody names"
    for name in (seal.MANIFEST, "comprehensive_stress_test_results_20260304_100000.json", "REPORT.md"):
        (run_folder / name).unlink()
        (run_folder / name).mkdir()
        assert not verify(run_folder).ok


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"schema":"nautilus.results/1"}', b'{"figures":[{"value":NaN}]}', b"\x00" * 100]
)
def test_results_that_are_none_are_a_mismatch(run_folder: Path, content: bytes) -> None:
    name = "comprehensive_stress_test_results_20260304_100000.json"
    (run_folder / name).write_bytes(content)
    seal.seal(run_folder)
    assert name in {item.name for item in verify(run_folder).mismatches}
    (run_folder / "results.json").write_bytes(content)
    assert [info.verdict for info in runs.list_runs(run_folder.parent)] == [None]


def test_a_folder_that_cannot_be_written_is_verified_and_refuses_to_be_rendered(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permissions do not bind the superuser, so the refusal is the file system's."""

    def refuse(*_: object, **__: object) -> int:
        raise OSError(30, "Read-only file system")

    for name in ("write_bytes", "write_text", "mkdir", "replace", "rename", "touch"):
        monkeypatch.setattr(Path, name, refuse)
    assert verify(run_folder).ok
    with pytest.raises(ReportError, match="Read-only file system"):
        runs.render(run_folder, with_plots=False)


def test_a_whole_history_keeps_its_order_within_the_slack(tmp_path: Path) -> None:
    """Concurrent parts of a run may be written a little late: that is no clock that went back."""
    found = small_history()
    late = msgspec.structs.replace(found[20], mono_ns=found[20].mono_ns - 900_000_000)
    folder = finish(build(tmp_path / "run", lambda lines: [*lines[:20], late, *lines[21:]]))
    assert verify(folder).ok


def test_every_prefix_and_every_flipped_byte_is_told_not_thrown(tmp_path: Path) -> None:
    """Unsealed: a prefix of a history is interrupted or refused; a flipped byte never verifies."""
    folder = tmp_path / "run"
    folder.mkdir()
    write_history(folder, small_history())
    whole = (folder / HISTORY).read_bytes()
    for size in range(0, len(whole), 1 + len(whole) // 25):
        (folder / HISTORY).write_bytes(whole[:size])
        assert not verify(folder).ok
    for place in range(0, len(whole), 1 + len(whole) // 25):
        (folder / HISTORY).write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        assert not verify(folder).ok
    assert chain.HEAD == 18
    assert records.SCHEMA_VERSION == 1
