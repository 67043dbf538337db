"""No number is typed in a template, and figures are written alike everywhere."""

import pytest

from reports import show
from reports.figures import Evidence, Figure
from reports.model import Claim, Table, TypedNumberError


@pytest.mark.parametrize("text", ["13 engines survived", "{alive} of 13", "p99 below 10 ms"])
def test_a_typed_number_is_refused(text: str) -> None:
    with pytest.raises(TypedNumberError):
        Claim(text)
    with pytest.raises(TypedNumberError):
        Table((text,), ())


def test_slots_are_filled_by_figures() -> None:
    claim = Claim(
        "{alive} alive, p99.9 {p}", {"alive": Figure("a", 3, "engines", ""), "p": Figure("b", None, "ms", "")}
    )
    assert claim.words() == "3 engines alive, p99.9 UNKNOWN"


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (None, "ms", "UNKNOWN"),
        (1.25, "ms", "1.250 ms"),
        (10.0, "ms", "10.00 ms"),
        (1234.5, "requests/s", "1,234 requests/s"),
        (250.25, "ms", "250.2 ms"),
        (0, "messages", "0 messages"),
        (1_200_000, "messages", "1,200,000 messages"),
        (99.5, "%", "99.500 %"),
        (100.0, "%", "100 %"),
        (1.2e9, "bytes", "1,200.0 MB"),
        ("healthy", "text", "healthy"),
    ],
)
def test_values_are_written_in_the_digits_of_their_unit(value: float | str | None, unit: str, expected: str) -> None:
    assert show.value(value, unit) == expected


def test_evidence_names_its_records() -> None:
    assert str(Evidence("history.jsonl", (("type", "health"),), 3)) == "history.jsonl type=health (3)"
    assert str(Evidence("samples.parquet")) == "samples.parquet"
