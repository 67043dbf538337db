"""Sections about the run itself: benchmarks, resilience, what is missing, where everything is."""

from reports import parts, sections_invariants, show
from reports.consistency import Disagreement
from reports.criteria import Judged
from reports.figures import Figure, Figures
from reports.history import History
from reports.model import Block, Bullets, Claim, Command, Row, Section, Table, row
from reports.records import FleetEvent, Host, Run, Unavailable
from reports.rules import DOCUMENTED

_BENCHMARKS = (
    "fleet.boot_s",
    "fleet.pss_peak_bytes",
    "idle.response_ms",
    "bus.rate_msgs_s",
)
_BENCHMARK_ENDINGS = (".capacity_rps", ".all.rps_stressed", ".all.p99_ms", ".at_peak")


def benchmarks(figures: Figures) -> Section:
    """What this run established for this host."""
    chosen = [figures[name] for name in _BENCHMARKS]
    chosen += [item for item in figures if item.id.endswith(_BENCHMARK_ENDINGS)]
    chosen += [item for item in figures if item.id.startswith("hop.") and item.id.endswith(".p99_ms")]
    rows = tuple((item.id, show.figure(item), item.how) for item in chosen)
    return Section("Benchmarks established", (Table(("Figure", "Value", "How it was computed"), rows),))


def resilience(history: History, figures: Figures) -> Section:
    """What broke and came back, and what the machine gave."""
    claims = [
        Claim("Memory of the fleet (proportional) peaked at {pss}.", {"pss": figures["fleet.pss_peak_bytes"]}),
        Claim(
            "The host's processors were busy {cpu} on average and its memory in use peaked at {memory}.",
            {"cpu": figures["host.cpu_mean_percent"], "memory": figures["host.memory_max_bytes"]},
        ),
        Claim(
            "{dead} set aside, {again} delivered again, {reordered} out of order.",
            {
                "dead": figures["bus.dead_lettered"],
                "again": figures["bus.redeliveries"],
                "reordered": figures["bus.reordered"],
            },
        ),
    ]
    blocks: list[Block] = [Bullets(tuple(claims))]
    events = tuple(
        (event.at, event.engine, event.event, event.state, "" if event.pid is None else str(event.pid), event.cause)
        for event in history.of(FleetEvent)
    )
    if events:
        blocks.append(Table(("At", "Engine", "Event", "State", "Pid", "Cause"), events))
    names = [figure.id.split(".")[1] for figure in figures if figure.id.startswith("process.")]
    if names:
        fields = ("cpu_mean_percent", "rss_max_bytes", "fds_max", "threads_max")
        rows = tuple(
            row(name, *(figures[f"process.{name}.{field}"] for field in fields)) for name in dict.fromkeys(names)
        )
        blocks.append(Table(("Process", "Processor %", "Resident MB", "Files", "Threads"), rows))
    return Section("Operational resilience", tuple(blocks), ("cpu", "memory"))


def not_measured(history: History, figures: Figures, judged: list[Judged]) -> Section:
    """Documented criteria that this mission leaves out, what the host lacks, and figures that came out UNKNOWN."""
    named = {item.id for item in judged}
    lacking = {record.criterion: record.why for record in history.of(Unavailable)}
    rows: list[Row] = [
        (title, lacking.get(criterion, "this mission does not measure it"))
        for criterion, title in DOCUMENTED.items()
        if criterion not in named
    ]
    rows += [(title, why) for title, why in lacking.items() if title not in DOCUMENTED]
    rows += sections_invariants.unknown(history)
    rows += [(figure.id, f"no record bears it ({figure.how})") for figure in figures if figure.value is None]
    return Section("What was not measured, and why", (Table(("What", "Why"), tuple(rows)),))


def disagreements(found: list[Disagreement]) -> list[Section]:
    """Where records contradict each other; no section when they do not."""
    if not found:
        return []
    rows = tuple((item.subject, item.words) for item in found)
    return [Section("Where the records disagree", (Table(("Subject", "Disagreement"), rows),))]


def deliverables(stamp: str, figures: Figures) -> Section:
    """The files of a run folder."""
    rows: tuple[Row, ...] = (
        ("history.jsonl", "everything that was observed, one chained line each"),
        ("latency/", "HDR histogram logs per phase and engine"),
        ("samples.parquet", "processes and host, five times a second"),
        ("MANIFEST.sha256.json", "the seal over the three records and the results"),
        (f"comprehensive_stress_test_results_{stamp}.json", "every figure with its evidence, every criterion"),
        *((parts.file_name(part, stamp), f"the figures of {part} alone") for part in parts.present(figures)),
        ("comprehensive_stress_test_results.log", "the run as a log, one line an event"),
        ("results.json", "the run in short, for other programs"),
        ("REPORT.md", "this report"),
        ("report.html, plots/", "the same with charts, and plots when rendered"),
        ("runbooks/", "what to type when it happens, with this run's own thresholds"),
    )
    return Section("Deliverables", (Table(("File", "What it holds"), rows),))


def environment(history: History, figures: Figures) -> Section:
    """The host and the versions."""
    run, hosts = history.run, history.of(Host)
    rows: list[Row] = []
    if run is not None:
        rows += [("Run", run.run_id), ("Started", run.at), ("Version", run.version), ("Length", _length(run))]
    rows.append(("Duration", show.figure(figures["run.duration_s"])))
    for host in hosts[-1:]:
        memory = show.value(host.memory_bytes, "bytes")
        rows += [
            ("Processor", f"{host.cpu_model}, {host.cores} cores"),
            ("Memory", memory),
            ("Platform", host.platform),
            ("Python", host.python),
            ("Bus server", host.bus_version),
            ("DuckDB", host.duckdb_version),
            ("Packages", ", ".join(f"{name} {version}" for name, version in sorted(host.packages.items()))),
        ]
    if not hosts:
        rows.append(("Host", "UNKNOWN: no host record"))
    return Section("Environment", (Table(("What", "Value"), tuple(rows)),))


def _length(run: Run) -> str:
    return "quick" if run.quick else "full" if run.full else "the mission's own"


def evidence(judged: list[Judged]) -> Section:
    """What each criterion's figures rest on."""
    by_id: dict[str, Figure] = {figure.id: figure for item in judged for figure in item.figures}
    rows = tuple(
        (figure.id, show.figure(figure), figure.how, "; ".join(str(item) for item in figure.evidence))
        for figure in by_id.values()
    )
    words = Claim("Every other figure stands with its evidence in the results file.")
    return Section("Evidence index", (Table(("Figure", "Value", "How it was computed", "Evidence"), rows), words))


def reproduction(history: History, name: str) -> Section:
    """How to run it again and how to check this report."""
    run = history.run
    again = (
        f"nautilus stress {run.mission} --seed {run.seed}{' --quick' if run.quick else ' --full' if run.full else ''}"
        if run
        else ""
    )
    words = Claim("The seed fixes the tape and the arrival schedule; the machine's timing is its own.")
    return Section("Reproduction", (Command((again, f"nautilus report verify {name}")), words))
