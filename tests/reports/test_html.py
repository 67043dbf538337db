"""The page: it stands alone, says nothing that the records do not, and works in a real browser, on paper too."""

import json
import re
import shutil
import subprocess
import tempfile
import zlib
from pathlib import Path

import msgspec
import numpy as np
import pytest
from matplotlib import image

from reports import charts, records, render_html, render_html_charts, runs, summary
from reports.chart import Chart, Line
from reports.compose import compose
from reports.errors import ReportError
from reports.verify import verify
from tests.reports.conftest import build, finish
from tests.reports.test_faults import recovery, with_faults

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--virtual-time-budget=3000",
    "--enable-logging=stderr", "--window-size=1100,2400",
)  # fmt: skip
DARK = "--blink-settings=preferredColorScheme=0"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with faults and with its plots."""
    items = [recovery("a", 1.0), recovery("b", 2.0)]
    return finish(build(tmp_path_factory.mktemp("html") / "run", with_faults(*items)), plots=True)


def page_of(folder: Path) -> str:
    return (folder / runs.REPORT_HTML).read_text()


def strokes(pdf: bytes) -> int:
    """Line segments that a PDF's pages draw."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.S)
    unpacked = (zlib.decompressobj().decompress(stream) for stream in streams if stream[:1] == b"x")
    return sum(content.count(b" l\n") for content in unpacked)


def chromium(page: Path, *flags: str) -> tuple[str, list[str]]:
    """Standard output, and what the page wrote to the console."""
    with tempfile.TemporaryDirectory() as profile:
        assert CHROMIUM is not None
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_the_page_stands_alone(run_folder: Path) -> None:
    page = page_of(run_folder)
    without_bundle = page.replace(render_html_charts.bundle()[0], "")
    assert not re.search(r'<link|\bsrc=|\bhref="(?!#)|@import|url\(|https?://', without_bundle)
    assert "default-src 'none'" in page and "'unsafe-inline'" not in page
    assert "prefers-color-scheme: dark" in page and "@media print" in page
    assert "Copyright (c) 2022 Leon Sorokin" in page
    assert len(page.encode()) <= 3_000_000


def test_every_script_and_style_is_known_to_the_policy(drawn: Path) -> None:
    page = page_of(drawn)
    known = set(re.findall(r"'sha256-[^']+'", page.split("</head>")[0]))
    inlined = re.findall(r"<script>(.*?)</script>", page, re.S) + re.findall(r"<style>(.*?)</style>", page, re.S)
    assert len(inlined) == 3
    assert {render_html._hash(source) for source in inlined} == known
    assert not re.search(r"<[^>]*\s(style|on\w+)=", page.split("<body>")[1].split("<script>")[0])


def test_the_criteria_come_first_and_the_verdict_has_its_tone(run_folder: Path, tmp_path: Path) -> None:
    page = page_of(run_folder)
    titles = re.findall(r"<summary><h2>(.*?)</h2>", page)
    assert (
        titles[0] == "Success criteria" and titles[1] == "Executive summary" and len(titles) == len(set(titles)) == 16
    )
    assert '<header class="bar good"><div><strong class="badge">ACHIEVED</strong>' in page
    assert "<td class=good>" in page and "<td class=n>" in page

    def lie(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        return [msgspec.structs.replace(item, pid=1) if isinstance(item, records.Health) else item for item in lines]

    assert '<header class="bar bad">' in page_of(finish(build(tmp_path / "run", lie)))


def test_charts_hold_the_records_values(run_folder: Path) -> None:
    page = page_of(run_folder)
    specs = {
        name: json.loads(data)
        for name, data in re.findall(
            r'<figure data-chart="(.*?)">.*?<script type="application/json">(.*?)</script>', page, re.S
        )
    }
    assert set(specs) == {"price-path", "drawdown", "vpin", "request-rate", "latency", "spectrum", "cpu", "memory"}
    assert dict(specs["request-rate"]["lines"])["due"] == [300] * 6
    assert dict(specs["request-rate"]["lines"])["answered"] == [300, 300, 300, 297, 297, 300]
    assert [value for value in dict(specs["vpin"]["lines"])["SPX"] if value is not None] == [0.25, 0.75]
    assert dict(specs["drawdown"]["lines"])["SPX"][-1] == pytest.approx(100 * (1146 / 1150 - 1), rel=1e-5)
    assert specs["latency"]["log_y"] is True


def test_what_a_logarithm_has_no_room_for_and_what_is_no_number_is_null() -> None:
    chart = Chart("T", "x", "y", np.array([0.0, 1.0]), (Line("</script>", np.array([0.0, np.nan])),), log_y=True)
    data = re.search(r"json\">(.*?)</script>", render_html_charts.figure("t", chart))
    assert data is not None and json.loads(data[1])["lines"] == [["</script>", [None, None]]]


@pytest.mark.parametrize(
    "change",
    [
        lambda page: page.replace('"x":[', '"x":[7,', 1),
        lambda page: page.replace("bar warn", "bar good", 1),
        lambda page: page.replace("u.data", "u.late", 1),
        lambda page: re.sub(r'(base64,)\w{9}', r"\1AAAAAAAAA", page, count=1),
    ],
    ids=["chart-data", "tone", "script", "picture"],
)  # fmt: skip
def test_any_changed_byte_of_the_page_is_caught(drawn: Path, tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def] # lambdas
    folder = shutil.copytree(drawn, tmp_path / "run")
    assert verify(folder).ok
    path = folder / runs.REPORT_HTML
    changed = change(path.read_text())
    assert changed != path.read_text()
    path.write_text(changed)
    assert runs.REPORT_HTML in {item.name for item in verify(folder).mismatches}


def test_a_bundle_that_is_not_the_release_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render_html_charts.bundle.cache_clear()
    changed = tmp_path / "uplot.iife.min.js"
    changed.write_text(render_html_charts.bundle()[0] + ";")
    with pytest.raises(ReportError) as raised:
        render_html_charts._checked(changed)
    assert "not that of uPlot" in raised.value.why
    monkeypatch.setattr(render_html_charts, "CARRIER", "no-such-package")
    render_html_charts.bundle.cache_clear()
    with pytest.raises(ReportError, match="nothing to draw its charts"):
        render_html_charts.bundle()
    monkeypatch.undo()
    render_html_charts.bundle.cache_clear()


@browser
@pytest.mark.parametrize("flags", [(), (DARK,)], ids=["light", "dark"])
def test_in_a_browser_all_charts_are_drawn_and_the_console_is_silent(
    drawn: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    page, picture = drawn / runs.REPORT_HTML, tmp_path / "page.png"
    dom, said = chromium(page, "--dump-dom", *flags)
    assert said == []
    expected = charts.draw(summary.read(drawn))
    marks = re.findall(r'<figure data-chart="(.*?)" data-drawn="(\d+)">', dom)
    assert {name: int(count) for name, count in marks} == {name: len(chart.lines) for name, chart in expected.items()}
    assert dom.count("<canvas") == len(expected) and dom.count("<button>") > 50
    assert chromium(page, f"--screenshot={picture}", *flags)[1] == []
    pixels = image.imread(picture)[..., :3]
    assert (pixels[5, 5].mean() < 0.2) == (DARK in flags)
    coloured = (pixels.max(axis=2) - pixels.min(axis=2) > 0.25).mean()
    assert coloured > 0.001, "verdicts and lines have colours"


@browser
def test_it_prints_with_its_charts(drawn: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole.pdf"
    assert chromium(drawn / runs.REPORT_HTML, f"--print-to-pdf={whole}")[1] == []
    assert len(re.findall(rb"/Type\s*/Page\b", whole.read_bytes())) >= 2
    still, bare = tmp_path / "still.html", tmp_path / "bare.pdf"
    still.write_text(page_of(drawn).split("<script>")[0])
    chromium(still, f"--print-to-pdf={bare}")
    assert strokes(whole.read_bytes()) > strokes(bare.read_bytes()) + 200


@browser
def test_a_script_that_is_not_the_pages_own_does_not_run(drawn: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(page_of(drawn).replace("</body>", "<script>document.title = 'taken'</script></body>"))
    dom, said = chromium(page, "--dump-dom")
    assert "<title>taken</title>" not in dom
    assert any("Content Security Policy" in line for line in said)


def test_a_report_without_load_or_samples_has_a_page(tmp_path: Path) -> None:
    folder = build(tmp_path / "run", lambda lines: [*lines[:2], lines[-1]])
    (folder / "samples.parquet").unlink()
    report = compose(summary.read(folder))
    page = render_html.render(report, charts.draw(summary.read(folder)))
    assert "<figure" not in page and "UNKNOWN" in page
