"""Ensembles in a process of their own: `python -m engines.marketdata.tape`.

It reads one ``Ask`` as JSON and answers with lines of JSON: a ``Made`` for each tape, a ``Spreads`` after the last tape
of each scenario; a ``Mistake`` ends it.
"""

import sys

import msgspec

from engines.wire.errors import NautilusError
from engines.wire.scenario import Scenario


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whole scenarios, and the seeds of each."""

    scenarios: tuple[Scenario, ...]
    seeds: tuple[int, ...]


def main() -> int:
    """Lines out until all tapes are made; 1 after a mistake."""
    ask = msgspec.json.decode(sys.stdin.buffer.read(), type=Ask)
    from engines.marketdata.tape.ensemble import Figures, ensemble

    try:
        for scenario in ask.scenarios:

            def made(figures: Figures, name: str = scenario.name) -> None:
                _tell({"type": "Made", "scenario": name, "figures": figures})

            found = ensemble(scenario, ask.seeds, made)
            _tell({"type": "Spreads", "scenario": scenario.name, "spreads": found.spreads})
    except NautilusError as error:
        _tell({"type": "Mistake", "what": error.what, "why": error.why, "next": error.next_step})
        return 1
    return 0


def _tell(line: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
