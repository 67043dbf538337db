"""The tables of `status` and `up` say which engines are not those that ship."""

import msgspec

from engines.fleet.status import EngineStatus
from nautilus_cli import views
from nautilus_cli.table import Table
from tests.nautilus_cli.test_cli_fleet_commands import engine, fleet


def notes(table: Table) -> list[str]:
    """The last column, where there is one for notes."""
    if table.columns[-1].title != "note":
        return []
    return [str(row[-1]) for row in table.rows]


def mine(state: str = "ready", cause: str = "") -> EngineStatus:
    return msgspec.structs.replace(engine("strategy", state, cause=cause), origin="/desk/engines/mine")


def test_the_note_names_the_folder() -> None:
    engines, _ = views.status_tables(fleet(engine("risk"), mine()))
    assert notes(engines) == ["", "replaced by /desk/engines/mine"]
    assert notes(views.boot_table((mine(),))) == ["replaced by /desk/engines/mine"]


def test_what_is_wrong_with_it_stands_beside() -> None:
    engines, _ = views.status_tables(fleet(mine("failed", "5 crashes in 60 s")))
    assert notes(engines) == ["replaced by /desk/engines/mine; 5 crashes in 60 s"]


def test_ours_have_no_note() -> None:
    engines, _ = views.status_tables(fleet(engine("risk"), engine("strategy")))
    assert notes(engines) == []
