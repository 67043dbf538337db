"""The beginning of a native engine of one's own: a folder like ours, with tests that pass."""

import importlib.util
import keyword
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

import msgspec

from engines.wire import project
from engines.wire.errors import UnknownName, UsageError
from engines.wire.manifest import Manifest

_NAME = re.compile(r"[a-z][a-z0-9]{1,31}")
FIRST_PORT = 10_100

PROJECT = """\
# Settings of this project's fleet; `nautilus config show` says what is in force and why.

[fleet]
# name = "default"
# engines = ["marketdata", "risk"] # all when left out

# Any command that answers HTTP can be an engine:
# [engines.pricer]
# command = ["python", "-m", "http.server", "--bind", "{host}", "{port}"]
# port = 9300
# health = { path = "/" }
"""

OWN = """\
name = "$name"
title = "$title"
port = $port
consumes = ["trades"] # topics: `nautilus bus stats`
publishes = []
after = ["marketdata"]
critical = false
restart = "always"
boot_s = 20.0

[limits]
memory_mb = 512
files = 1024
"""
REPLACING = """\
name = "$name"
replaces = "$engine" # what is not said here is as in that engine's manifest: port, after, limits and the rest
title = "$title"
consumes = ["trades"] # topics: `nautilus bus stats`
publishes = [] # others take these from the one that is replaced: $publishes
orders = false # true when it sends orders, which needs `hold` of its Engine
"""

FILES: Mapping[str, str] = {
    "__init__.py": '"""The $name engine."""\n',
    "__main__.py": '''\
"""Run the engine: `python -m $name`."""

from engines.kit.serve import serve
from $name.service import engine


def main() -> None:
    """Serve until told to stop."""
    serve(engine)


if __name__ == "__main__":
    main()
''',
    "engine.toml": """\
$manifest
# What the load generator asks for; `check` is a value that the reply must hold.
[[load]]
mix = "health"
path = "/health"

[[load]]
mix = "compute"
path = "/prices"
check = { field = "window", low = 100, high = 100 }
""",
    "config.py": '''\
"""Settings of the $name engine, with their units."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """`window`: trades over which a symbol's mean price is taken."""

    window: int = 100


CONFIG = Config()
''',
    "model.py": '''\
"""The pure part: a message and the state before it give the state after it, and what is published."""

from collections.abc import Sequence

import msgspec
import numpy as np

from engines.wire.messages import Body, Envelope, Trades
from engines.wire.ticks import PRICE_SCALE, TRADE
from $name.config import CONFIG


class State(msgspec.Struct):
    """The last prices of each symbol, oldest first, in integers of 1/10,000; and all trades so far."""

    prices: dict[str, list[int]] = {}
    trades: int = 0


def step(state: State, envelope: Envelope) -> tuple[State, Sequence[Body]]:
    """Keep the window of each symbol's prices.  Deterministic: no clock, no files, no randomness."""
    if isinstance(envelope.body, Trades):
        rows = np.frombuffer(envelope.body.rows, TRADE)
        state.trades += rows.size
        for number, symbol in enumerate(envelope.body.symbols):
            fresh = rows["price"][rows["symbol"] == number].tolist()
            if fresh:
                state.prices[symbol] = [*state.prices.get(symbol, []), *fresh][-CONFIG.window :]
    return state, []


def means(state: State) -> dict[str, float]:
    """Mean price of each symbol over its window, in currency units."""
    return {symbol: sum(prices) / len(prices) / PRICE_SCALE for symbol, prices in state.prices.items()}
''',
    "service.py": '''\
"""Wiring of the $name engine."""

from collections.abc import Sequence

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler

from engines.kit.engine import Engine
from engines.kit.runtime import Runtime
from engines.wire.health import Check
from $name.config import CONFIG
from $name.model import State, means, step


class Prices(msgspec.Struct, frozen=True):
    """Mean prices over the last `window` trades of each symbol, in currency units."""

    window: int
    means: dict[str, float]


def routes(runtime: Runtime[State]) -> Sequence[HTTPRouteHandler]:
    """The HTTP face."""

    @get("/prices", sync_to_thread=False, summary="Mean price of every symbol")
    def prices() -> Prices:
        return Prices(CONFIG.window, means(runtime.state))

    return [prices]


def checks(runtime: Runtime[State]) -> list[Check]:
    """No price is zero or less."""
    bad = [symbol for symbol, prices in runtime.state.prices.items() if min(prices) <= 0]
    return [Check("prices", "fail" if bad else "ok", f"{', '.join(bad)} at zero or less" if bad else "all above zero")]


engine = Engine(
    name="$engine",
    initial=State,
    step=step,
    state_type=State,
    snapshot_s=3.0,
    routes=routes,
    checks=checks,
    features=lambda state: [f"mean price of {len(state.prices)} symbols over {CONFIG.window} trades"],
    counters=lambda state: {"trades": state.trades},
    data_sources=("trades (market bus)",),
)
''',
    "test_$name.py": '''\
"""The step on trades made by hand, and the manifest."""

import tomllib
from pathlib import Path

import numpy as np

from engines.wire.messages import Envelope, Header, Trades
from engines.wire.ticks import TRADE
from $name.config import CONFIG
from $name.model import State, means, step
from $name.service import engine


def trades(*prices: int, first: int = 1) -> Envelope:
    """One batch of one symbol."""
    rows = np.array([(n, 0, 1, price, 100) for n, price in enumerate(prices)], TRADE)
    header = Header("marketdata", 1, first, "", 1, "r1/1", 0, 0, 0)
    return Envelope("trades", f"{first}-0", header, Trades(("AAPL",), rows.tobytes()))


def test_the_mean_is_over_the_window() -> None:
    state, published = step(State(), trades(*[10_000] * CONFIG.window))
    assert means(state) == {"AAPL": 1.0} and published == []
    state, _ = step(state, trades(*[30_000] * (CONFIG.window // 2), first=2))
    assert means(state) == {"AAPL": 2.0} and state.trades == 3 * CONFIG.window // 2


def test_batches_do_not_matter() -> None:
    prices = [10_000 + n for n in range(250)]
    whole, _ = step(State(), trades(*prices))
    cut = State()
    for n in range(0, 250, 10):
        cut, _ = step(cut, trades(*prices[n : n + 10], first=n + 1))
    assert cut == whole


def test_the_manifest_names_the_engine() -> None:
    manifest = tomllib.loads(Path(__file__).with_name("engine.toml").read_text("utf-8"))
    assert manifest["$key"] == engine.name
''',
}


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.init/1` document: what was written.  `replaces`: whose place it takes, empty for nobody's."""

    schema: str = "nautilus.init/1"
    name: str
    project: str
    replaces: str
    port: int
    files: tuple[str, ...]


def engine(name: str, folder: Path, declared: Sequence[Manifest], replaces: str = "") -> Begun:
    """Write `<folder>/engines/<name>/`, and a `nautilus.toml` where there is none.

    `replaces`: the engine that ships whose place it takes; it is declared under that one's name and port.

    Raises:
        UsageError: the name cannot be a package's, or it is taken; the folder is there; there is no such engine to
            replace, or its place is taken.
    """
    _check(name, declared)
    former = _former(replaces, declared) if replaces else None
    home = folder / project.ENGINES / name
    if home.exists():
        raise UsageError(f"{home} is there already.", "", "Choose another name, or remove it.")
    taken = {manifest.port for manifest in declared}
    port = former.port if former else next(n for n in range(FIRST_PORT, 65_535, 10) if n not in taken)
    facts = {"name": name, "title": f"{name.capitalize()} Engine", "port": str(port), "engine": replaces or name}
    facts["publishes"] = ", ".join(former.publishes) or "none" if former else ""
    facts |= {"key": "replaces" if former else "name", "manifest": _fill(REPLACING if former else OWN, facts)}
    texts = {home / _fill(file, facts): _fill(text, facts) for file, text in FILES.items()}
    settings = folder / project.FILE
    if not settings.exists():
        texts[settings] = PROJECT
    home.mkdir(parents=True)
    for path, text in texts.items():
        path.write_text(text, "utf-8")
    return Begun(name=name, project=str(folder), replaces=replaces, port=port, files=tuple(str(path) for path in texts))


def _former(name: str, declared: Sequence[Manifest]) -> Manifest:
    """The engine whose place is to be taken."""
    ours = {manifest.name: manifest for manifest in declared if manifest.origin or not manifest.package}
    found = ours.get(name)
    if found is None or found.foreign:
        raise UnknownName("engine of ours", name, [each.name for each in ours.values() if not each.foreign])
    if found.origin:
        raise UsageError(f"{found.package} takes the place of {name} already.", found.origin, "Change that one.")
    return found


def _fill(text: str, facts: Mapping[str, str]) -> str:
    return Template(text).substitute(facts)


def _check(name: str, declared: Sequence[Manifest]) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(f"{name!r} cannot name an engine.", "It becomes a Python package: small letters and digits.")
    if any(manifest.name == name for manifest in declared):
        raise UsageError(f"There is an engine {name!r} already.", "", "See them: nautilus status, or nautilus doctor")
    if importlib.util.find_spec(name) is not None:
        raise UsageError(f"{name!r} is an installed package.", "It would hide the engine.", "Choose another.")
