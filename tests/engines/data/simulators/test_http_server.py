"""The simulators' server: loopback only, faults in order, a fresh key each run."""

import http.client
import json
import time

import pytest

from engines.data.simulators import suite
from engines.data.simulators.http_server import Allowance, Answer, Ask, Fault, SimulatorServer, as_json


class Echo:
    """Answers with what it was asked."""

    def respond(self, ask: Ask) -> Answer:
        return as_json({"service": ask.service, "path": ask.path, "params": dict(ask.params)})


def get(server: SimulatorServer, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_source_service_and_path_are_taken_apart() -> None:
    with SimulatorServer({"fred": Echo()}) as server:
        status, body = get(server, "/fred/api/a/b%20c?x=1%2F2&y=")
        assert (status, json.loads(body)) == (
            200,
            {"service": "api", "path": "/a/b c", "params": {"x": "1/2", "y": ""}},
        )
        assert get(server, "/other/api/x")[0] == 404
        assert server.endpoint("fred").simulated


def test_faults_come_in_order_and_then_it_is_honest_again() -> None:
    with SimulatorServer({"fred": Echo()}) as server:
        server.fail("fred", Fault(answer=Answer(b"a", 503)), Fault(garble=True), Fault(cut=True))
        assert get(server, "/fred/api/") == (503, b"a")
        with pytest.raises(json.JSONDecodeError):
            json.loads(get(server, "/fred/api/")[1])
        with pytest.raises(http.client.IncompleteRead):
            get(server, "/fred/api/")
        assert json.loads(get(server, "/fred/api/")[1])["service"] == "api"
        assert len(server.asked["fred"]) == 4


def test_closing_ends_a_slow_reply() -> None:
    with SimulatorServer({"fred": Echo()}) as server:
        server.fail("fred", Fault(delay_s=3600))
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", "/fred/api/")
        while not server.asked["fred"]:
            time.sleep(0.01)  # until it is being answered; pytest's time-out bounds it
    assert connection.getresponse().status == 200
    connection.close()


def test_an_allowance_slides() -> None:
    now = [0.0]
    allowance = Allowance(2, 10.0, clock=lambda: now[0])
    assert (allowance.take(), allowance.take()) == (None, None)
    now[0] = 4.0
    assert allowance.take() == pytest.approx(6.0)
    now[0] = 10.0
    assert allowance.take() is None


def test_keys_are_made_for_each_run() -> None:
    one, other = suite.fresh_keys(), suite.fresh_keys()
    assert set(one) == set(other)
    assert not set(one.values()) & set(other.values())


def test_all_eight_are_simulated_endpoints_on_loopback() -> None:
    with suite.running() as simulators:
        assert len(simulators.endpoints) == 8
        for endpoint in simulators.endpoints.values():
            assert endpoint.simulated
            assert all("//127.0.0.1:" in url for url in endpoint.urls.values())
