"""A run's verdict and criteria as they are shown."""

from collections.abc import Sequence
from pathlib import Path

from nautilus_cli.table import Cell, Column, Table, Tone
from reports import show
from reports.render_json import CriterionJson
from reports.rules import RULES
from reports.runs import RunInfo
from reports.verify import Verification

_TONES = {"EXCEEDED": Tone.GOOD, "ACHIEVED": Tone.GOOD, "MISSED": Tone.BAD, "INVALID": Tone.BAD, "UNKNOWN": Tone.WARN}


_SIGNED = {"valid": "; the signature is valid", "unchecked": "; it is signed, and there is no key to check that with"}
_SIGNED |= dict.fromkeys(("wrong", "absent", "unsigned"), "")


def verdict(label: str) -> Cell:
    """A verdict in its tone."""
    return Cell(label, _TONES.get(label, Tone.PLAIN))


def criteria_table(criteria: Sequence[CriterionJson]) -> Table:
    """What was asked, what was measured, and what that means."""
    columns = (Column("criterion"), Column("target", True), Column("measured", True), Column("verdict"), Column("note"))
    rows = [_criterion(item) for item in criteria]
    if any(item["note"] for item in criteria):
        return Table(columns, rows)
    return Table(columns[:-1], [row[:-1] for row in rows])


def _criterion(item: CriterionJson) -> tuple[Cell | str, ...]:
    measured = show.value(item["measured"], item["unit"])
    return item["title"], _target(item), measured, verdict(item["verdict"]), item["note"]


def runs_table(found: Sequence[RunInfo]) -> Table:
    """Runs, as listed."""
    columns = (Column("run"), Column("mission"), Column("begun"), Column("sealed"), Column("verdict"))
    rows = [
        (
            run.run_id,
            run.mission,
            run.at[:19],
            "yes" if run.sealed else Cell("no", Tone.WARN),
            verdict(run.verdict or "-"),
        )
        for run in found
    ]
    return Table(columns, rows)


def verification_words(checked: Verification) -> str:
    """The outcome of a verification in one line."""
    if checked.ok:
        return f"ok: {checked.figures} figures recomputed from the records, all as reported{_SIGNED[checked.signature]}"
    if checked.status == "interrupted":
        return f"interrupted: the run was never sealed; {checked.figures} figures recomputed, none differs"
    return f"mismatch: {len(checked.mismatches)} of what is reported is not what the records say"


def mismatch_table(checked: Verification) -> Table:
    """What differs."""
    columns = (Column("name"), Column("reported"), Column("recomputed"))
    return Table(columns, [(m.name, m.reported, m.recomputed) for m in checked.mismatches])


def next_commands(folder: Path) -> str:
    """What to type after a run."""
    return f"Next: nautilus report show {folder}\n      nautilus report verify {folder}"


def _target(item: CriterionJson) -> str:
    rule = RULES.get(item["id"])
    compare = f"{rule.compare} " if rule is not None and rule.compare != "equal" else ""
    return "-" if item["target"] is None else compare + show.value(item["target"], item["unit"])
