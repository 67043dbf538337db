"""What a runbook is made of, and how it is written: Markdown whose every command can be typed as it stands.

Like a report's claims, no sentence and no command holds a number of its own: slots take them from the run.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from reports import model
from reports.criteria import Judged
from reports.model import Cell, Claim
from reports.render_markdown import plain
from reports.show import value

CHANGES = "This step acts"
"""The mark of a step that does more than look."""


@dataclass(frozen=True)
class Step:
    """What to do and when; ``command`` has slots as a claim has, filled as single words of a shell."""

    why: Claim
    command: str
    slots: Mapping[str, str] = field(default_factory=dict)
    changes: bool = False

    def __post_init__(self) -> None:
        model.refuse_digits(self.command)

    def line(self) -> str:
        """The command line."""
        return self.command.format_map({name: shlex.quote(word) for name, word in self.slots.items()})


@dataclass(frozen=True)
class Runbook:
    """``thresholds`` are (what, as measured, limit); ``signatures`` what this run showed of the trouble."""

    title: str
    purpose: Claim
    thresholds: tuple[tuple[str, Cell, Cell], ...]
    signatures: tuple[Claim, ...]
    steps: tuple[Step, ...]


NO_LIMIT = "none was set"


def limits(judged: tuple[Judged, ...], *wanted: str) -> tuple[tuple[str, Cell, Cell], ...]:
    """The criteria of these ids that the mission named: measured, and their targets as limits."""
    return tuple(
        (item.title, value(item.measured, item.unit), value(item.target, item.unit))
        for item in judged
        if item.id in wanted
    )


def missed(judged: tuple[Judged, ...], *wanted: str) -> list[Claim]:
    """A signature for each of these criteria that did not stand."""
    words = "{title}: {verdict}, {measured} against {target}."
    return [
        Claim(
            words,
            {
                "title": item.title,
                "verdict": item.verdict.label,
                "measured": value(item.measured, item.unit),
                "target": value(item.target, item.unit),
            },
        )
        for item in judged
        if item.id in wanted and item.verdict.label in ("MISSED", "INVALID")
    ]


def write(book: Runbook, run: str) -> str:
    """The document of a runbook of that run."""
    parts = [f"# {book.title}", plain(f"From run {run}. {book.purpose.words()}"), "## What this run measured"]
    rows = [
        ("What", "Measured", "Limit"),
        *((name, model.cell(got), model.cell(limit)) for name, got, limit in book.thresholds),
    ]
    lines = ["| " + " | ".join(plain(word) for word in row) + " |" for row in rows]
    parts.append("\n".join([lines[0], "| --- | ---: | ---: |", *lines[1:]]))
    parts.append("## Signatures of the trouble in this run")
    parts.append(
        "\n".join(f"- {plain(claim.words())}" for claim in book.signatures) or "None: this run showed none of it."
    )
    parts.append("## Steps")
    for number, step in enumerate(book.steps, 1):
        mark = f" **{CHANGES}.**" if step.changes else ""
        parts.append(f"{number}. {plain(step.why.words())}{mark}\n\n   ```sh\n   {step.line()}\n   ```")
    return "\n\n".join(parts) + "\n"


def commands(document: str) -> list[tuple[str, bool]]:
    """The command lines of a written runbook, each with whether its step is marked as one that changes something."""
    found: list[tuple[str, bool]] = []
    marked = False
    for line in document.splitlines():
        if line[:1].isdigit():
            marked = line.endswith(f"**{CHANGES}.**")
        elif line.startswith("   nautilus "):
            found.append((line.strip(), marked))
    return found
