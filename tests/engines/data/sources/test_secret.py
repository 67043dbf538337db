"""A key is planted in everything; afterwards it is nowhere."""

import base64
import copy
import json
import logging
import pickle
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import duckdb
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.data.simulators.http_server import Answer, Fault, SimulatorServer
from engines.data.sources.cache import Cache, Cached
from engines.data.sources.errors import NotConfigured, SourceError
from engines.data.sources.secret import VARIABLES, Redactor, Secret, from_env, redactor
from engines.data.sources.source import Request
from tests.engines.data.sources.source_rig import HTTP_SOURCES, Connect, everything, provider

KEYS = {
    "ALPHAVANTAGE_API_KEY": "PLANTED+AV/key=1",
    "FRED_API_KEY": "planted0fred0key0planted0fred0ke",
    "EDGAR_IDENTITY": "Planted Person planted@example.invalid",
    "DATA_GOV_API_KEY": "plantedDataGovKey&more",
    "TRADING_ECONOMICS_API_KEY": "plantedteuser:plantedtesecret",
}
PARTS = [part for value in KEYS.values() for part in (value, *value.split(":"))]


def forms(part: str) -> set[str]:
    return {part, quote(part), quote(part, safe=""), quote_plus(part), base64.b64encode(part.encode()).decode()}


def assert_clean(text: str) -> None:
    lower = text.lower()
    for part in PARTS:
        for form in forms(part):
            assert form.lower() not in lower


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Every line of every logger, the HTTP client's included."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "yfinance"):
        caplog.set_level(logging.DEBUG, logger=name)
    yield caplog


def echo() -> bytes:
    """A reply that sends every key back, in every form."""
    return json.dumps({"Information": "; ".join(form for part in PARTS for form in sorted(forms(part)))}).encode()


@pytest.mark.parametrize("name", HTTP_SOURCES)
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 418, 422, 429, 500])
def test_an_echoed_key_reaches_no_error_and_no_log(
    http: SimulatorServer, connect: Connect, log: pytest.LogCaptureFixture, name: str, status: int
) -> None:
    where = {"Location": f"/x?key={quote(PARTS[0], safe='')}", "Retry-After": PARTS[0]}
    http.fail(name, *[Fault(answer=Answer(echo(), status, headers=where))] * 2, Fault(answer=Answer(echo(), 400)))
    with pytest.raises(SourceError) as caught:
        connect(name, env_=KEYS).fetch(provider(name).probe)
    assert http.asked[name]
    assert_clean(everything(caught.value))
    assert_clean(log.text)


@pytest.mark.parametrize("name", HTTP_SOURCES)
@pytest.mark.parametrize("fault", [Fault(cut=True), Fault(garble=True), Fault(answer=Answer(echo(), 403))])
def test_a_state_holds_no_key(
    http: SimulatorServer, connect: Connect, log: pytest.LogCaptureFixture, name: str, fault: Fault
) -> None:
    http.fail(name, fault)
    state = connect(name, env_=KEYS).probe()
    assert_clean(msgspec.json.encode(state).decode() + repr(state) + log.text)


@pytest.mark.parametrize("name", HTTP_SOURCES)
def test_a_key_that_is_asked_for_by_mistake_is_not_repeated(
    http: SimulatorServer, connect: Connect, log: pytest.LogCaptureFixture, name: str
) -> None:
    for kind in provider(name).kinds:
        for key in PARTS:
            with pytest.raises(SourceError) as caught:
                connect(name, env_=KEYS).fetch(Request(kind=kind, key=key))
            assert_clean(everything(caught.value))
    assert_clean(log.text)


def test_the_key_was_really_sent_and_the_rest_is_clean(
    http: SimulatorServer, env: dict[str, str], connect: Connect, tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    """A good fetch with the key in the query: log lines, table, provenance and cache files."""
    key = env["FRED_API_KEY"]
    source = connect("fred")
    cached = Cached(source, True, Cache(tmp_path), redactor(env))
    table = cached.fetch(provider("fred").probe)
    assert http.asked["fred"][0].params["api_key"] == key
    assert "/fred/series/observations" in log.text  # httpx does log the address
    shown = log.text + repr(table) + repr(vars(source)) + str(table.provenance)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2
    for path in files:
        shown += path.name + path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            shown += str(duckdb.connect().sql(f"FROM '{path}'").fetchall())
    assert key not in shown


def test_data_that_repeats_a_key_is_masked_before_it_is_kept(
    http: SimulatorServer, connect: Connect, tmp_path: Path
) -> None:
    results = [{"title": f"data of {KEYS['FRED_API_KEY']}", "identifier": KEYS["DATA_GOV_API_KEY"]}]
    http.fail("data_gov", Fault(answer=Answer(json.dumps({"results": results}).encode())))
    table = Cached(connect("data_gov", env_=KEYS), True, Cache(tmp_path), redactor(KEYS)).fetch(
        Request(kind="search", key="x")
    )
    assert table.columns["title"][0] == "data of ***"
    (path,) = tmp_path.rglob("*.parquet")
    assert_clean(str(duckdb.connect().sql(f"FROM '{path}'").fetchall()))


def test_a_secret_shows_nothing() -> None:
    secret = Secret("abcdefghij")
    shown = f"{secret} {secret!r} {secret!s:>20} {[secret]} {secret:x^9}" + "%s" % secret  # noqa: UP031
    assert "abcdefghij" not in shown
    for copier in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            copier(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        msgspec.json.encode(secret)


printable = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=8, max_size=40)


@given(printable, st.text(max_size=20), st.text(max_size=20))
def test_every_form_is_masked(key: str, before: str, after: str) -> None:
    mask = Redactor([Secret(key)])
    for form in {*forms(key), json.dumps(key)[1:-1]}:
        for text in (before + form + after, before + form.upper() + after):
            for left in (mask.text(text), mask.body(text.encode()).decode()):
                assert form.lower() not in left.lower()


@pytest.mark.parametrize("value", ["", "   ", "short", "with\nnewline", "ümläut-key-of-length"])
def test_what_cannot_be_a_key_is_no_configuration(value: str) -> None:
    with pytest.raises(NotConfigured) as caught:
        from_env("fred", {"FRED_API_KEY": value}, "FRED_API_KEY")
    assert not value.strip() or value.strip() not in str(caught.value)


def test_nothing_stays_chained_to_a_redacted_error() -> None:
    error = SourceError("x", f"what {PARTS[0]}", f"why {PARTS[1]}", f"next {PARTS[2]}")
    error.__cause__ = error.__context__ = ValueError(PARTS[0])
    clean = redactor(KEYS).error(error)
    assert_clean(everything(clean))
    assert (clean.what, clean.why, clean.next_step) == ("what ***.", "why ***.", "next ***.")


def test_the_redactor_knows_every_variable() -> None:
    assert set(KEYS) == set(VARIABLES)
    assert redactor({}).text("nothing to hide") == "nothing to hide"
    assert_clean(redactor(KEYS).text(" ".join(form for part in PARTS for form in forms(part))))
