"""Sections about what happened: summary, engines, the crash, the buses."""

from collections.abc import Iterator, Sequence

from reports import findings, sections_busbench, sections_operations, sections_requests, sections_shedding
from reports.consistency import Disagreement
from reports.criteria import Judged, Verdict
from reports.figures import Figures
from reports.history import History
from reports.measures.bus import STALE_MS, last_rows
from reports.measures.load import loaded_phases
from reports.measures.speed import FOREIGN_CORES
from reports.measures.tape import day_of
from reports.model import Block, Bullets, Claim, Row, Section, Table, row
from reports.records import Halt, LoadSummary, Recovery, Tape
from reports.show import bare, value

STRESS_PLOTS = ("price-path", "drawdown", "vpin", "request-rate", "latency", "spectrum")
_HOPS = ("Stage", "Count", "p50 ms", "p99 ms", "p99.9 ms", "Max ms")


def executive_summary(
    history: History, figures: Figures, judged: Sequence[Judged], disagreements: Sequence[Disagreement] = ()
) -> Section:
    """What a hurried reader takes away; first what in it is not to be believed, then what was not met."""
    run = history.run
    declared = str(len(run.engines)) if run else "UNKNOWN"
    alive = Claim(
        "{alive} of {declared} declared were alive at the end, with the pid they started with and no restart.",
        {"alive": figures["fleet.alive_at_end"], "declared": declared},
    )
    if history.of(Recovery):  # the mission ended engines on purpose: what recovery says of them stands below
        alive = Claim(
            "{alive} of {declared} declared were alive when the faults began; {missing} were not recovered from.",
            {
                "alive": figures["fleet.alive_before_faults"],
                "declared": declared,
                "missing": figures["recovery.missing"],
            },
        )
    claims = [
        *_standing(judged),
        alive,
        Claim(
            "Of all health probes {availability} were answered healthy; at rest the mean answer took {idle}.",
            {"availability": figures["availability.percent"], "idle": figures["idle.response_ms"]},
        ),
    ]
    claims += _loaded(history, figures)
    claims += _crowded(history, figures)
    claims.append(
        Claim(
            "The buses carried {rate} to every consumer; lost: {lost}.",
            {"rate": figures["bus.rate_msgs_s"], "lost": figures["bus.lost"]},
        )
    )
    claims += findings.replaced(history)
    blocks: list[Block] = [Bullets(tuple(claims))]
    if history.gap is not None:
        words = "This run is not whole: {gap}. What it did not finish cannot pass, and is {least} or worse."
        least = "INVALID" if history.word == "broken" else "UNKNOWN"
        blocks.insert(0, Claim(words, {"gap": history.gap, "least": least}))
    return Section("Executive summary", (*_contrary(disagreements), *blocks))


def _loaded(history: History, figures: Figures) -> Iterator[Claim]:
    """What came of each phase's load."""
    for phase in loaded_phases(history):
        prefix = f"load.{phase}.all"
        yield Claim(
            "Phase {phase}: {scheduled} due, {done} answered, {errors} failed, {unsent} unsent; p99 {p99}.",
            {
                "phase": phase,
                "scheduled": figures[f"{prefix}.scheduled"],
                "done": figures[f"{prefix}.done"],
                "errors": figures[f"{prefix}.errors"],
                "unsent": figures[f"{prefix}.unsent"],
                "p99": figures[f"{prefix}.p99_ms"],
            },
        )


def _crowded(history: History, figures: Figures) -> list[Claim]:
    """Phases in which others used the machine too."""
    shares = {phase: figures[f"others.{phase}.cores"] for phase in loaded_phases(history)}
    words = "Phase {phase}: other programs kept {cores} busy meanwhile, so its latencies and rates are theirs as well."
    return [
        Claim(words, {"phase": phase, "cores": cores})
        for phase, cores in shares.items()
        if (cores.number or 0.0) > FOREIGN_CORES
    ]


def _standing(judged: Sequence[Judged]) -> list[Claim]:
    """How many criteria were met, and each that was not, the worst first; none where the mission names none."""
    if not judged:
        return []
    unmet = sorted((item for item in judged if item.verdict > Verdict.ACHIEVED), key=lambda item: -item.verdict)
    counts = {"met": str(len(judged) - len(unmet)), "all": str(len(judged))}
    claims = [Claim("{met} of {all} criteria were met.", counts)]
    for item in unmet:
        slots = {
            "verdict": item.verdict.label,
            "title": item.title,
            "measured": value(item.measured, item.unit),
            "target": value(item.target, item.unit),
        }
        claims.append(Claim("{verdict}: {title}, {measured} against a target of {target}.", slots))
    return claims


def _contrary(disagreements: Sequence[Disagreement]) -> list[Claim]:
    """Where the records contradict each other, engines' own health first: one paragraph a subject."""
    subjects = sorted(dict.fromkeys(item.subject for item in disagreements), key=lambda name: name != "health")
    told = {name: [item.words for item in disagreements if item.subject == name] for name in subjects}
    return [
        Claim(
            "Engines say of their own health what the records contradict. {words}."
            if name == "health"
            else "The records of {subject} contradict each other. {words}.",
            {"subject": name, "words": "; ".join(words)},
        )
        for name, words in told.items()
    ]


def engine_health(history: History, figures: Figures) -> Section:
    """One row per engine: state at the end, response at rest, what it offers."""
    run = history.run
    last = history.probes.last
    rows: list[Row] = []
    for engine in run.engines if run else []:
        probe = last.get(engine)
        rows.append(
            row(
                probe.title if probe else engine,
                str(probe.port) if probe else "UNKNOWN",
                figures[f"engine.{engine}.status_at_end"],
                figures[f"engine.{engine}.idle_response_ms"],
                figures[f"engine.{engine}.availability_percent"],
                figures[f"engine.{engine}.uptime_s"],
                figures[f"engine.{engine}.ready_s"],
                ", ".join(probe.features) if probe else "",
            )
        )
    columns = ("Engine", "Port", "Status", "Response ms", "Available %", "Uptime s", "Ready s", "Special features")
    boot = Claim(
        "{started} became ready in {boot}.", {"started": figures["fleet.started"], "boot": figures["fleet.boot_s"]}
    )
    return Section("Engine health", (boot, Table(columns, tuple(rows))))


def flash_crash(history: History, figures: Figures) -> list[Section]:
    """The tape, the load and each engine under it; nothing when no load was measured."""
    phases = loaded_phases(history)
    if not phases and not history.of(Tape):
        return []
    blocks: list[Block] = []
    tapes = {tape.scenario: tape for tape in history.of(Tape)}
    several = len(history.of(Tape)) > 1
    blocks += [_tape(tape, figures, f"tape.{tape.scenario}" if several else "tape") for tape in tapes.values()]
    if tapes:
        words = "Our fills are additional to the pinned volume, capped at the displayed size and without impact."
        blocks.append(Claim(words))
    blocks += [_calibration(figures)] if any(figure.id.startswith("calibration.") for figure in figures) else []
    for phase in phases:
        blocks += [_generator(phase, figures), _engines(phase, history, figures)]
        blocks += sections_requests.blocks(phase, history, figures)
        blocks += sections_shedding.blocks(phase, history, figures)
    blocks += _halts(history.of(Halt), figures, dated=several) if tapes or history.of(Halt) else []
    return [Section("Stress under load", tuple(blocks), STRESS_PLOTS)]


def _tape(tape: Tape, figures: Figures, prefix: str) -> Claim:
    return Claim(
        "Tape {scenario}, seed {seed}: {ticks}; of {pins} to the real day {held} hold exactly; digest {digest}.",
        {
            "scenario": tape.scenario,
            "seed": str(tape.seed),
            "ticks": figures[f"{prefix}.ticks"],
            "held": bare(figures[f"{prefix}.pins_held"]),
            "pins": figures[f"{prefix}.pins"],
            "digest": figures[f"{prefix}.digest"],
        },
    )


def _calibration(figures: Figures) -> Table:
    mixes = [figure.id.split(".")[1] for figure in figures if figure.id.endswith(".capacity_rps")]
    rows = tuple(
        (
            mix,
            figures[f"calibration.{mix}.capacity_rps"],
            figures[f"calibration.{mix}.r_max_rps"],
            figures[f"calibration.{mix}.errors"],
        )
        for mix in mixes
    )
    return Table(("Mix", "Capacity requests/s", "Scheduled peak requests/s", "Errors"), rows)


def _generator(phase: str, figures: Figures) -> Claim:
    return Claim(
        "Phase {phase}: {rps} answered while stressed over {held} held open; generator processes {processes}, "
        "lag p50 {p50}, p99 {p99}, longest {longest}, processor {cpu}, longest stall {stall}.",
        {
            "phase": phase,
            "rps": figures[f"load.{phase}.all.rps_stressed"],
            "held": figures[f"connections.{phase}.at_peak"],
            "p50": figures[f"generator.{phase}.lag_p50_ms"],
            "p99": figures[f"generator.{phase}.lag_p99_ms"],
            "longest": figures[f"generator.{phase}.lag_max_ms"],
            "cpu": figures[f"generator.{phase}.cpu_percent"],
            "stall": figures[f"generator.{phase}.stall_max_ms"],
            "processes": bare(figures[f"generator.{phase}.processes"]),
        },
    )


def _engines(phase: str, history: History, figures: Figures) -> Table:
    engines = [summary.engine for summary in history.of(LoadSummary) if summary.phase == phase]
    fields = ("rps", "mean_ms", "p50_ms", "p99_ms", "p999_ms", "max_ms", "errors", "unsent")
    rows = tuple(
        row(engine, *(figures[f"load.{phase}.{engine}.{field}"] for field in fields))
        for engine in [*dict.fromkeys(engines), "all"]
    )
    columns = ("Engine", "Requests/s", "Mean ms", "p50 ms", "p99 ms", "p99.9 ms", "Max ms", "Errors", "Unsent")
    return Table(columns, rows)


def _halts(halts: list[Halt], figures: Figures, *, dated: bool) -> list[Block]:
    claim = Claim(
        "Halts: {declared} declared, {observed} observed, {missing} missing, {unexpected} undeclared.",
        {name: bare(figures[f"halts.{name}"]) for name in ("declared", "observed", "missing", "unexpected")},
    )
    rows = tuple(
        (
            halt.kind,
            "" if halt.level is None else str(halt.level),
            halt.symbol or "market-wide",
            f"{day_of(halt)} {market_time(halt.start_ns)}" if dated else market_time(halt.start_ns),
            "open" if halt.end_ns is None else market_time(halt.end_ns),
            halt.rule,
            halt.source,
        )
        for halt in halts
    )
    columns = ("Halt", "Level", "Symbol", "Start UTC", "End UTC", "Rule", "Source")
    return [claim, Table(columns, rows)] if rows else [claim]


def market_time(nanoseconds: int) -> str:
    """Market time of day (UTC) to the millisecond."""
    seconds, rest = divmod(nanoseconds, 10**9)
    hours, minutes = seconds // 3600 % 24, seconds // 60 % 60
    return f"{hours:02d}:{minutes:02d}:{seconds % 60:02d}.{rest // 10**6:03d}"


def buses(history: History, figures: Figures) -> list[Section]:
    """Each consumer's account of each topic, the hops between engines, and the benchmark beside them."""
    rows: list[Row] = []
    fields = ("published", "processed_unique", "dead_lettered", "pending", "lost", "redeliveries", "reordered")
    for own in last_rows(history):
        name = f"bus.{own.bus}.{own.topic}.{own.consumer}"
        rows.append(row(own.bus, own.topic, own.consumer, *(figures[f"{name}.{field}"] for field in fields)))
    hops = [figure.id.removesuffix(".count") for figure in figures if figure.id.startswith("hop.")
            and figure.id.endswith(".count")]  # fmt: skip
    bench = sections_busbench.blocks(history, figures)
    if not rows and not hops:
        return [Section("MessageBus", bench)] if bench else []
    totals = Claim(
        "{published} published, {delivered} delivered, {rate} processed by every consumer; {lost} lost.",
        {
            "published": figures["bus.published"],
            "delivered": figures["bus.delivered"],
            "rate": figures["bus.rate_msgs_s"],
            "lost": figures["bus.lost"],
        },
    )
    columns = (
        "Bus",
        "Topic",
        "Consumer",
        "Published",
        "Processed",
        "Set aside",
        "Pending",
        "Lost",
        "Again",
        "Reordered",
    )
    blocks: list[Block] = [totals, Table(columns, tuple(rows))]
    timed = ("count", "p50_ms", "p99_ms", "p999_ms", "max_ms")
    if hops:
        stages = (row(hop.removeprefix("hop."), *(figures[f"{hop}.{field}"] for field in timed)) for hop in hops)
        blocks.append(Table(_HOPS, tuple(stages)))
    blocks += sections_operations.replays(history, figures)
    stale = [figure for figure in figures if figure.id.startswith("staleness.")]
    if stale:
        blocks.append(Claim("Decisions on data older than {limit}:", {"limit": f"{STALE_MS} ms"}))
        blocks.append(Table(("Engine", "Share %"), tuple(row(item.id.split(".")[1], item) for item in stale)))
    return [Section("MessageBus", (*blocks, *bench), ("bus",))]
