"""Thresholds of phases: what can be written, what is told of mistakes, and what the run's record holds."""

import pytest

from reports.records import Threshold
from reports.records.thresholds import Compare
from stress.mission import FOLDER, MissionErrors, parse
from stress.specs.calibrate import Calibrate
from stress.specs.idle import Idle
from stress.specs.soak import Soak
from stress.specs.storm import Storm
from stress.thresholds import declared, known, mistakes

FLASH = (FOLDER / "flash-crash.toml").read_text()
STORM = Storm(scenario="flash-crash-2010", mix="health", connections=100)


def storm(*asked: str) -> Storm:
    return Storm(scenario="flash-crash-2010", mix="health", connections=100, thresholds=asked)


@pytest.mark.parametrize(
    ("text", "metric", "scope", "worst", "compare", "value"),
    [
        ("p99_ms < 20", "p99_ms", "all", False, "below", 20.0),
        ("all.rps>=4000", "rps", "all", False, "at least", 4000.0),
        ("risk.p99_9_ms <= 1.5", "p99_9_ms", "risk", False, "at most", 1.5),
        ("errors == 0", "errors", "all", False, "equal", 0.0),
        ("generator.lag_p99_ms <= 5", "generator.lag_p99_ms", "all", False, "at most", 5.0),
        ("errors_share.worst_second < 0.1", "errors_share", "all", True, "below", 0.1),
        ("vpin.rps.worst_second > 1e2", "rps", "vpin", True, "above", 100.0),
    ],
)
def test_a_threshold_is_read(text: str, metric: str, scope: str, worst: bool, compare: Compare, value: float) -> None:
    (found,) = declared([storm(text)])
    assert found == Threshold(
        phase="window", number=1, metric=metric, scope=scope, worst_second=worst, compare=compare, value=value
    )
    assert not list(mistakes(storm(text)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("p98_ms < 20", "There is no metric 'p98_ms'. Did you mean 'p99_ms'?"),
        ("riks.p99_ms < 20", "There is no engine 'riks'. Did you mean 'risk'?"),
        ("p99_ms", "expected a metric, a sign and a number"),
        ("p99_ms < fast", "expected a metric, a sign and a number"),
        ("p99_ms < 1.2.3", "expected a metric, a sign and a number"),
        ("p99_ms < 20 for 5 s", "expected a metric, a sign and a number"),
        ("< 20", "expected a metric, a sign and a number"),
        ("risk.connections > 5", "connections is not told apart by engine"),
        ("p99_ms.worst_second < 5", "p99_ms is not told apart by second"),
        ("best_rps > 5", "There is no metric 'best_rps'"),  # of a search
    ],
)
def test_what_cannot_be_asked_is_told(text: str, words: str) -> None:
    (found,) = mistakes(storm(text))
    assert found.startswith(f"thresholds: {text!r}: {words}")


def test_each_role_knows_what_it_measures() -> None:
    assert known(Idle()) == ["availability", "response_ms"]
    assert "p99_ms" in known(STORM) and "best_rps" not in known(STORM)
    (words,) = mistakes(Calibrate(thresholds=("rps > 5",)))
    assert "the role 'calibrate' measures nothing that a threshold can name" in words


def test_they_are_numbered_within_each_measured_part() -> None:
    found = declared([storm("p99_ms < 20", "errors == 0"), Soak(thresholds=("p99_ms < 9",)), Idle()])
    assert [(each.phase, each.number) for each in found] == [
        ("window", 1), ("window", 2), ("soak-first", 1), ("soak-middle", 1), ("soak-last", 1)
    ]  # fmt: skip


def test_all_mistakes_of_a_mission_at_once_those_of_quick_too() -> None:
    text = FLASH.replace('role = "storm"', 'role = "storm"\nthresholds = ["p98_ms < 1", "risk.rsp > 1"]', 1)
    text = text.replace("quick = { seconds = 2 }", 'quick = { seconds = 2, thresholds = ["p99_ms < 2"] }', 1)
    with pytest.raises(MissionErrors) as caught:
        parse(text)
    told = caught.value.mistakes
    assert [words.split(": ")[0] for words in told] == [
        "phases[0].quick.thresholds", "phases[2].thresholds", "phases[2].thresholds"
    ]  # fmt: skip
    assert "Did you mean 'rps'?" in told[2]
