"""The beginning of a mission of one's own: a file with every field explained, which is valid as it stands."""

from pathlib import Path

from engines.wire import scenario_file
from engines.wire.errors import UsageError
from reports.rules import RULES
from reports.rules.thresholds import METRICS
from stress import abort, mission
from stress.faults.kinds import KINDS
from stress.specs import ROLES

_TEXT = """\
# A mission: what is done to a fleet, and what is expected of it.  Look first: nautilus stress run {name}.toml -n

name = "{name}"
title = "{title}"
summary = "What it shows, in a sentence."
seed = 1 # of the tape and of the arrivals: the same seed, the same mission
# The mission ends early, and has missed, when one of these holds: {aborts}.
abort = ["engines_down >= 3 for 5 s"]

# What the account holds before each replay's measured part; name the criterion 'start-state' with it:
# start = {{ positions = {{ ESX = 100 }}, open_orders = 20 }}

# Phases follow each other.  `role` says what one does, one of: {roles}.
# `quick` and `full` of a phase name the fields that --quick and --full change.
# `thresholds` of a phase are judged beside the criteria.  Known, each in the phases that measure it:
# {metrics}.
# An engine's name may stand before a metric (risk.p99_ms), and .worst_second behind one that is told apart by second.

[[phases]]
role = "idle" # health of each engine without load
seconds = 5
quick = {{ seconds = 2 }}

[[phases]]
role = "calibrate" # capacity of this host: a closed loop of each mix
mixes = ["compute", "health"]
concurrency = 64 # requests outstanding
processes = 1 # of the load generator, 1 to 16, or "auto": one for four cores, four at most; loads use as many
seconds = 5
timeout_s = 5
quick = {{ seconds = 3 }}

[[phases]]
role = "load" # requests without a tape
mix = "compute" # the requests of the engines' manifests: health or compute
# One of: {{ kind = "constant", rate = 500 }}, {{ kind = "ramp", start = 100, end = 900 }},
# {{ kind = "steps", rates = [100, 200, 400] }}, {{ kind = "spike", base = 100, peak = 900, at_s = 4, width_s = 1 }},
# {{ kind = "scenario", scenario = "{scenario}", peak = 900, floor = 0.2 }},
# {{ kind = "closed", concurrency = 64, think_s = 0.01 }}
shape = {{ kind = "ramp", start = 0.1, end = 0.5 }}
unit = "share" # of the capacity that was just measured, or "rps"
arrivals = "poisson" # or "even"
seconds = 8
warm_s = 1 # before, discarded
connections = 130 # held open over the engines that are asked
processes = 1
engines = {{}} # {{ risk = 2, portfolio = 1 }} asks these two, the first twice as often; all alike when empty
timeout_s = 5
thresholds = ["p99_ms < 250", "errors == 0"]
quick = {{ seconds = 4 }}

[[phases]]
role = "storm" # a scenario's tape, and load that follows its stress y
scenario = "{scenario}" # one of: {scenarios}
mix = "health" # the requests of the engines' manifests: health or compute
connections = 500 # held open over all engines
share = 0.7 # peak rate as a share of the capacity that was just measured
floor = 0.2 # rate = peak * (floor + (1 - floor) * y)
arrivals = "poisson"
warm_s = 1 # before the window, discarded
processes = 1
timeout_s = 5 # a request has failed after so long, counted from when it should have been sent
lead_s = 20 # of the tape, before its measured window
speed = 40 # of the market in that window; 1 is real time
drain_s = 30 # after: longest wait until every message was taken
thresholds = ["availability >= 99", "errors_share.worst_second < 0.05", "generator.lag_p99_ms <= 20"]
abort = ["errors_share > 0.5 for 5 s"]
# Faults that strike while the load runs, `at_s` after the window's start; kinds that last need `for_s`, say
# {{ kind = "latency", target = "bus-market", at_s = 3, for_s = 2 }} or {{ kind = "kill", target = "risk", at_s = 8 }}.
# Kinds: {kinds}
faults = []
overlays = [] # faults of the tape itself, say {{ kind = "feed-gap", at_s = 5, for_s = 1 }}
limit_s = 20 # longest wait for each step of the way back from a fault
quick = {{ window_s = 15 }}

# Halts and alerts that must come, no fewer and no others, checked by set equality:
# [expect]
# halts = [{{ kind = "market-wide", symbol = "*", level = 1 }}]
# alerts = ["breaker-near"]

# One table each; `target = ...` asks for more or less than the criterion's own.
# Known: {criteria}
"""


def begin(name: str, folder: Path) -> Path:
    """Write `<folder>/<name>.toml`.

    Raises:
        UsageError: the name is taken, or cannot be a file's.
    """
    if not name.replace("-", "").isalnum() or name in mission.names():
        raise UsageError(f"{name!r} cannot name a mission.", "Letters, digits and dashes, and none that we ship.")
    path = folder / f"{name}.toml"
    if path.exists():
        raise UsageError(f"{path} is there already.", "", "Choose another name, or remove it.")
    known = scenario_file.names()
    scenario = "flash-crash-2010" if "flash-crash-2010" in known else known[0]
    head = _TEXT.format(
        name=name, title=name.replace("-", " ").capitalize(), scenario=scenario, scenarios=", ".join(known),
        criteria=", ".join(RULES), roles=", ".join(ROLES), kinds=", ".join(KINDS),
        metrics=", ".join(METRICS), aborts=", ".join(abort.METRICS),
    )  # fmt: skip
    chosen = [each for each in ("engines-alive", "zero-loss", "generator-valid") if each in RULES]
    text = head + "".join(f'\n[[criteria]]\nid = "{each}"\n' for each in chosen)
    mission.parse(text, path.name)
    path.write_text(text, "utf-8")
    return path
