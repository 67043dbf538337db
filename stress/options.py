"""What the operator chose for one run of a mission."""

from pathlib import Path

import msgspec

RUNS = Path("runs")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`seed` None takes the mission's own; `argv` is recorded as it was typed, without secrets.

    `attach`: the running fleet to fly against, None for a private one.  `live`: somebody looks at a screen, so that
    health requests ask for a price as well.
    """

    seed: int | None = None
    quick: bool = False
    full: bool = False
    runs: Path = RUNS
    plots: bool = True
    argv: tuple[str, ...] = ()
    attach: str | None = None
    live: bool = False
