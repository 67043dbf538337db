"""The bus benchmark as a mission's records: real servers, publishers and subscribers, for half a second."""

from pathlib import Path

import pytest

from engines.wire.messages import TOPICS
from reports import records
from reports.latency import read_logs
from reports.measures import busbench
from stress.busbench import bench
from stress.busbench.peer import Peer
from stress.mission import MissionErrors, load, parse
from stress.roles import bus


@pytest.mark.parametrize("mode", ["ticks", "paced"])
def test_a_mode_is_recorded_whole(tmp_path: Path, mode: bench.ModeName) -> None:
    found = bench.measured(mode, 0.5)
    made = bus.mode_record(tmp_path, "bus", found.mode, found.latency)
    assert records.decode(records.encode(made)) == made
    assert made.published == made.delivered > 0
    assert (made.lost, made.duplicates, made.reordered, made.changed, made.undecodable) == (0, 0, 0, 0, 0)
    told = busbench.latency(made, read_logs(tmp_path))
    assert told is not None and 0 < told.count <= made.delivered
    assert (made.asked_per_s is not None) is (mode == "paced")
    assert (made.ticks_delivered is not None) is (mode == "ticks")
    if mode == "channels":
        assert {channel.topic for channel in found.mode.channels} == set(TOPICS)
    if mode == "paced":
        assert told.count < made.delivered, "what leaves while it warms up is counted, not timed"


def test_the_other_tool_is_recorded_with_its_reason_where_it_is_not_there() -> None:
    made = bus.peer_record("bus", Peer(why="it is not installed"))
    assert (made.per_s, made.why) == (None, "it is not installed")
    made = bus.peer_record("bus", Peer(version="8.0", per_s=3.0, p99_ms=0.5, requests=10, pipeline=2))
    assert (made.version, made.per_s, made.p99_ms, made.requests, made.pipeline) == ("8.0", 3.0, 0.5, 10, 2)


def test_a_mode_is_named_once() -> None:
    text = """name = "x"
title = "x"
summary = "x"
seed = 1
phases = [{ role = "bus", modes = ["single", "single"] }]
criteria = [{ id = "bus-single" }]"""
    with pytest.raises(MissionErrors, match="modes: each mode once"):
        parse(text)
    assert [phase.role for phase in load("bus").phases] == ["idle", "bus"]
