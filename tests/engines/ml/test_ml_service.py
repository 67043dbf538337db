"""Training in a process of its own, and the HTTP face before and after it."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from engines.kit.service import _explain
from engines.ml.config import CONFIG
from engines.ml.daily import digest, trained_ridge
from engines.ml.forest import Forest, Tree
from engines.ml.model import State
from engines.ml.service import checks, describe, engine, routes, sources, train_apart
from engines.ml.shelf import Artefact, save
from engines.wire import manifest
from engines.wire.errors import NautilusError
from engines.wire.settings import Settings


class Here:
    """What the routes and sources need of a runtime."""

    def __init__(self, folder: Path) -> None:
        self.state = State()
        self.settings = Settings(state=folder)
        self.stop = asyncio.Event()


def test_trees_are_trained_apart_and_then_served(tmp_path: Path) -> None:
    here = Here(tmp_path)
    app = Litestar(route_handlers=[*routes(here)], exception_handlers={NautilusError: _explain})  # type: ignore[arg-type,list-item]
    path = "/predict?model=lightgbm&symbol=AAPL&date=2010-05-06"
    with TestClient(app) as client:
        assert client.get("/models").json()["untrained"] == ["lightgbm"]
        assert client.get(path).status_code == 404
        assert asyncio.run(train_apart(here.settings.store / "models"))
        listing = client.get("/models").json()
        assert listing["untrained"] == []
        assert [card["model"] for card in listing["daily"]] == ["ridge", "lightgbm"]
        assert abs(client.get(path).json()["forecast"]) < 0.1
        assert client.get("/predict?model=rigde&symbol=AAPL").status_code == 400
        for request in manifest.pick(manifest.discover(), "ml").load:
            if request.path != "/health":
                assert request.check is not None
                value = client.get(request.path).json()[request.check.field]
                assert request.check.low <= value <= request.check.high
    assert checks(here)[0].status == "ok"  # type: ignore[arg-type]
    assert "6 features" in describe(here.state)[0]
    assert engine.counters(here.state) == {"predictions": 0}


def test_a_training_that_fails_is_reported_and_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    assert not asyncio.run(train_apart(tmp_path / "models"))
    assert "FileExistsError" in caplog.text


def test_training_does_not_start_when_the_engine_stops_first(tmp_path: Path) -> None:
    here = Here(tmp_path)
    here.stop.set()
    asyncio.run(sources(here)[0]())  # type: ignore[arg-type]
    assert not here.settings.store.exists()


def test_damaged_trees_fail_the_health_check_and_are_grown_again_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Here(tmp_path)
    folder = here.settings.store / "models"
    path = save(folder, Artefact(digest(), trained_ridge()[1], Forest((Tree((), (), (), (), (0.25,)),))))
    app = Litestar(route_handlers=[*routes(here)], exception_handlers={NautilusError: _explain})  # type: ignore[arg-type,list-item]
    asked = "/predict?model=lightgbm&symbol=AAPL&date=2010-05-06"
    with TestClient(app) as client:
        assert client.get(asked).status_code == 200
        whole = path.read_bytes()
        path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
        trees = {check.name: check for check in checks(here)}["trees"]  # type: ignore[arg-type]
        assert trees.status == "fail" and path.name in trees.detail
        refused = client.get(asked)
        assert refused.status_code == 404 and "is refused: its sha256" in refused.json()["detail"]
        assert client.get("/models").json()["untrained"] == ["lightgbm"]
        trained: list[Path] = []

        async def train(where: Path) -> bool:
            trained.append(where)
            return True

        monkeypatch.setattr("engines.ml.service.CONFIG", replace(CONFIG, train_after_s=0.01))
        monkeypatch.setattr("engines.ml.service.train_apart", train)
        asyncio.run(sources(here)[0]())  # type: ignore[arg-type]
        assert trained == [folder]
        path.write_bytes(whole)
        here.stop = asyncio.Event()  # one lives in one event loop
        asyncio.run(sources(here)[0]())  # type: ignore[arg-type]
        assert trained == [folder]
        assert client.get(asked).status_code == 200
    assert all(check.status == "ok" for check in checks(here))  # type: ignore[arg-type]
