"""The beginning of a mission of one's own: a file with every field explained, which is valid as it stands."""

from pathlib import Path

from engines.wire import scenario_file
from engines.wire.errors import UsageError
from reports.rules import RULES
from stress import mission
from stress.specs import ROLES

_TEXT = """\
# A mission: what is done to a fleet, and what is expected of it.  Look first: nautilus stress run {name}.toml -n

name = "{name}"
title = "{title}"
summary = "What it shows, in a sentence."
seed = 1 # of the tape and of the arrivals: the same seed, the same mission

# Phases follow each other.  `role` says what one does, one of: {roles}.
# `quick` and `full` of a phase name the fields that --quick and --full change.

[[phases]]
role = "idle" # health of each engine without load
seconds = 5
quick = {{ seconds = 2 }}

[[phases]]
role = "calibrate" # capacity of this host: a closed loop of each mix
mixes = ["compute", "health"]
concurrency = 64 # requests outstanding
seconds = 5
timeout_s = 5
quick = {{ seconds = 3 }}

[[phases]]
role = "storm" # a scenario's tape, and load that follows its stress y
scenario = "{scenario}" # one of: {scenarios}
mix = "health" # the requests of the engines' manifests: health or compute
connections = 500 # held open over all engines
share = 0.7 # peak rate as a share of the capacity that was just measured
floor = 0.2 # rate = peak * (floor + (1 - floor) * y)
timeout_s = 5 # a request has failed after so long, counted from when it should have been sent
lead_s = 20 # of the tape, before its measured window
drain_s = 30 # after: longest wait until every message was taken
quick = {{ window_s = 15 }}

# Halts and alerts that must come, no fewer and no others, checked by set equality:
# [expect]
# halts = [{{ kind = "market-wide", symbol = "*", level = 1 }}]
# alerts = ["drawdown"]

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
        criteria=", ".join(RULES), roles=", ".join(ROLES),
    )  # fmt: skip
    chosen = [each for each in ("engines-alive", "zero-loss", "generator-valid") if each in RULES]
    text = head + "".join(f'\n[[criteria]]\nid = "{each}"\n' for each in chosen)
    mission.parse(text, path.name)
    path.write_text(text, "utf-8")
    return path
