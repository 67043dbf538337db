"""What every HTTP source has in common, each against its own simulator."""

import datetime as dt
import email.utils
import hashlib
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from engines.data.simulators.http_server import Answer, Fault, SimulatorServer, as_page
from engines.data.sources import errors
from engines.data.sources.connector import days
from engines.data.sources.endpoint import PUBLISHED, Endpoint
from engines.data.sources.http import HttpClient
from engines.data.sources.limiter import Limiter
from engines.data.sources.registry import open_source
from engines.data.sources.retry import Patience, Retry
from engines.data.sources.secret import Redactor
from engines.data.sources.source import Request, Status
from engines.wire.errors import SettingsError
from tests.engines.data.sources.source_rig import HTTP_SOURCES, ONCE, Connect, provider

each_source = pytest.mark.parametrize("name", HTTP_SOURCES)
QUICK = Patience(connect_s=1, read_s=0.2, total_s=1, attempts=1)


@each_source
def test_a_probe_of_a_simulator_says_so(connect: Connect, name: str) -> None:
    state = connect(name).probe()
    assert state.status is Status.SIMULATED
    assert state.evidence.rows
    assert state.evidence.round_trip_ms is not None


@each_source
def test_nobody_listens(connect: Connect, name: str, http: SimulatorServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    endpoint = Endpoint(source=name, urls=dict.fromkeys(PUBLISHED[name], url), simulated=True)
    state = connect(name, endpoint).probe()
    assert state.status is Status.UNREACHABLE
    assert state.evidence.rows is None
    assert not http.asked[name]


def body_of(name: str) -> Request:
    return provider(name).probe


@each_source
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(answer=Answer(b"{}", 500)), errors.Unavailable),
        (Fault(answer=as_page("Bad gateway", "down", 502)), errors.Unavailable),
        (Fault(answer=Answer(b"slow down", 429, "text/plain")), errors.RateLimited),
        (Fault(cut=True), errors.CutShort),
        (Fault(garble=True), errors.BadReply),
        (Fault(answer=as_page("Welcome", "please log in", 200)), errors.BadReply),
        (Fault(answer=Answer(b'{"surprise": 1}')), errors.BadReply),
        (Fault(answer=Answer(b"\xff\xfe\x00")), errors.BadReply),
        (Fault(answer=Answer(b"")), errors.BadReply),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_faults_are_typed(
    connect: Connect, http: SimulatorServer, name: str, fault: Fault, kind: type[errors.SourceError]
) -> None:
    http.fail(name, fault)
    with pytest.raises(kind) as caught:
        connect(name).fetch(body_of(name))
    assert type(caught.value) is kind or kind is not errors.BadReply  # a BadReply is not a CutShort
    assert caught.value.source == name
    assert caught.value.what and caught.value.why


@each_source
def test_a_slow_reply_ends_in_time(connect: Connect, http: SimulatorServer, name: str) -> None:
    http.fail(name, Fault(delay_s=5.0))
    with pytest.raises(errors.NoReply):
        connect(name, patience=QUICK).fetch(body_of(name))


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_read(connect: Connect, http: SimulatorServer, status: int, form: str) -> None:
    at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=90)
    value = "90" if form == "seconds" else email.utils.format_datetime(at, usegmt=True)
    http.fail("fred", Fault(answer=Answer(b"{}", status, headers={"Retry-After": value})))
    with pytest.raises((errors.RateLimited, errors.Unavailable)) as caught:
        connect("fred").fetch(body_of("fred"))
    assert caught.value.retry_after == pytest.approx(90, abs=10)


def test_what_is_transient_is_asked_again(connect: Connect, http: SimulatorServer) -> None:
    http.fail("fred", Fault(answer=Answer(b"{}", 503)), Fault(cut=True))
    patience = Patience(read_s=2, total_s=10, attempts=3, base_s=0.01)
    assert len(connect("fred", patience=patience).fetch(body_of("fred"))) == 5
    assert len(http.asked["fred"]) == 3


def test_a_refusal_is_not_asked_again(connect: Connect, http: SimulatorServer) -> None:
    patience = Patience(read_s=2, total_s=10, attempts=3, base_s=0.01)
    with pytest.raises(errors.NotFound):
        connect("fred", patience=patience).fetch(Request(kind="series", key="NOSUCH"))
    assert len(http.asked["fred"]) == 1


def client(endpoint: Endpoint, **settings: object) -> HttpClient:
    return HttpClient(endpoint, Limiter(()), ONCE, Redactor(()), **settings)  # type: ignore[arg-type]


def test_a_large_reply_is_not_read(http: SimulatorServer) -> None:
    http.fail("fred", *[Fault(answer=Answer(b"1" * 200_000))] * 2)
    small, large = (client(http.endpoint("fred"), max_body=size) for size in (100_000, 200_000))
    with pytest.raises(errors.BadReply, match="larger than 100,000 bytes"):
        small.get("/x", {}, lambda _: None)
    assert len(large.get("/x", {}, lambda _: None).body) == 200_000
    small.close()
    large.close()


def test_a_reply_that_drips_ends_at_the_deadline(http: SimulatorServer) -> None:
    """Each piece comes within the read time-out; the whole does not come within the total."""
    seconds = iter((0.0, 1.0, 100.0, 100.0))
    http.fail("fred", Fault(answer=Answer(b"1")))
    slow = client(http.endpoint("fred"), retry=Retry(ONCE, clock=lambda: 0.0), clock=lambda: next(seconds) + 10)
    with pytest.raises(errors.NoReply, match="did not end within"):
        slow.get("/x", {}, lambda _: None)
    slow.close()


@pytest.mark.parametrize("location", ["https://example.invalid/x", "http://localhost/x", "//example.invalid/"])
def test_a_redirect_to_another_host_is_not_followed(connect: Connect, http: SimulatorServer, location: str) -> None:
    http.fail("fred", Fault(answer=Answer(b"", 302, headers={"Location": location})))
    with pytest.raises(errors.BadReply, match="another host"):
        connect("fred").fetch(body_of("fred"))


def test_a_redirect_on_the_same_host_is_followed_so_far(connect: Connect, http: SimulatorServer) -> None:
    url = http.endpoint("fred").url("/fred/series/observations")
    there = Answer(b"", 302, headers={"Location": f"{url}?series_id=SP500&file_type=json&limit=5"})
    http.fail("fred", Fault(answer=there))
    assert len(connect("fred").fetch(body_of("fred"))) == 5
    http.fail("fred", *[Fault(answer=there)] * 4)
    with pytest.raises(errors.BadReply, match="redirects more than"):
        connect("fred").fetch(body_of("fred"))


def test_an_unknown_kind_is_not_sent(connect: Connect, http: SimulatorServer) -> None:
    with pytest.raises(errors.Unsupported, match="series"):
        connect("fred").fetch(Request(kind="depth", key="X"))
    assert not http.asked["fred"]


def test_provenance_holds_the_digest_of_the_body(connect: Connect, http: SimulatorServer) -> None:
    body = b'{"count": 1, "observations": [{"date": "2024-01-01", "value": "4.0"}]}'
    http.fail("fred", Fault(answer=Answer(body)))
    provenance = connect("fred").fetch(body_of("fred")).provenance
    assert provenance.sha256 == hashlib.sha256(body).hexdigest()
    assert (provenance.rows, provenance.newest, provenance.simulated) == (1, "2024-01-01", True)
    assert provenance.url.startswith(http.endpoint("fred").url("/fred/series/observations?"))


@pytest.mark.parametrize("text", ["20240102", "2024-W01-2", "2024-1-2", "2024-13-01", "2024-01-02T00", "2024", "x"])
def test_what_python_reads_as_a_date_may_be_none(text: str) -> None:
    with pytest.raises(errors.BadReply, match="a date that is none"):
        days("fred", ["2024-01-02", text])
    assert [str(day) for day in days("fred", ["2024-01-02", ""])] == ["2024-01-02", "NaT"]


def test_only_a_published_address_can_be_live() -> None:
    for urls in (
        {"api": "http://127.0.0.1:9"},
        {"api": "http://api.stlouisfed.org"},
        {"api": "https://example.invalid"},
    ):
        with pytest.raises(SettingsError, match="not the published address"):
            Endpoint(source="fred", urls=urls, simulated=False)
    assert not Endpoint(source="fred", urls=dict(PUBLISHED["fred"]), simulated=False).simulated


@pytest.mark.parametrize("name", ["fred", "yahoo"])
def test_a_proxy_is_for_the_real_source_only(http: SimulatorServer, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    source = open_source(name, http.endpoint(name), {"FRED_API_KEY": "x" * 32}, ONCE)
    source.probe()
    assert http.asked[name]  # the request arrived, whatever became of it
    source.close()


def test_certificates_are_verified(connect: Connect, tmp_path: Path) -> None:
    """A server with a certificate that nobody vouches for is not talked to."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate of this test, and is not here")
    pem = tmp_path / "self.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command = [openssl, "req", "-x509", *key, "-keyout", str(pem), "-out", str(tmp_path / "cert.pem"), *subject]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", pem)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        seen = []

        def serve() -> None:
            connection, _ = listener.accept()
            try:
                seen.append(context.wrap_socket(connection, server_side=True).recv(10))
            except ssl.SSLError as error:
                seen.append(error)
            finally:
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        urls = {"api": f"https://127.0.0.1:{listener.getsockname()[1]}"}
        with pytest.raises(errors.Unreachable, match="certificate"):
            connect("fred", Endpoint(source="fred", urls=urls, simulated=True)).fetch(body_of("fred"))
        thread.join(5)
    assert isinstance(seen[0], ssl.SSLError)  # no byte of the request arrived
