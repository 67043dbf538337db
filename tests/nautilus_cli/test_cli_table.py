from hypothesis import given
from hypothesis import strategies as st

from nautilus_cli.table import Cell, Column, Table, Tone, layout
from nautilus_cli.words import count, duration, number

TABLE = Table(
    (Column("engine"), Column("port", True), Column("features")),
    [("risk", "8200", "VaR; limits"), ("vpin", "10000", "")],
)


def test_layout() -> None:
    assert layout(TABLE) == "ENGINE   PORT  FEATURES\nrisk     8200  VaR; limits\nvpin    10000"


def test_the_last_column_is_cut_to_the_width() -> None:
    lines = layout(TABLE, width=24).splitlines()
    assert max(map(len, lines)) == 24 and lines[1].endswith("VaR; lim…")


def test_colour_changes_no_letter() -> None:
    table = Table((Column("state"),), [(Cell("failed", Tone.BAD),)])
    coloured = layout(table, colour=True)
    assert "\x1b[31mfailed\x1b[0m" in coloured and "\x1b" not in layout(table)
    plain = coloured
    for tone in Tone:
        plain = plain.replace(tone.value, "") if tone.value else plain
    assert plain.replace("\x1b[0m", "") == layout(table)


words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


@given(st.lists(st.tuples(words, words, words), min_size=1, max_size=6))
def test_every_cell_is_a_field_again(rows: list[tuple[str, str, str]]) -> None:
    """Cells without blanks come back by splitting at blanks, as awk does."""
    shown = layout(Table((Column("a"), Column("b", True), Column("c")), rows)).splitlines()[1:]
    assert [tuple(line.split()) for line in shown] == rows


def test_duration() -> None:
    seconds = (None, 0.0, 1.244, 9.999, 42.4, 185, 7620, 273_600)
    assert [duration(s) for s in seconds] == [
        "-", "0.00 s", "1.24 s", "10.00 s", "42 s", "3 m 05 s", "2 h 07 m", "3 d 4 h",
    ]  # fmt: skip


def test_numbers() -> None:
    assert (number(None), number(1234.56), number(0.5, 2)) == ("-", "1,234.6", "0.50")
    assert (count(1, "engine"), count(0, "engine"), count(1500, "run")) == ("1 engine", "0 engines", "1,500 runs")
