"""What a foreign engine is started with."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from engines.fleet import foreign
from engines.wire.errors import ManifestErrors
from engines.wire.manifest import Manifest
from engines.wire.settings import Settings

SETTINGS = Settings(
    fleet="desk", state=Path("/state"), bus_main_url="redis://:planted@x", bus_market_url="redis://:planted@y",
    token="planted", port_offset=100,
)  # fmt: skip
AROUND = {"PATH": "/bin:/usr/bin", "HOME": "/home/x", "AWS_SECRET": "planted", "AWS_PROFILE": "desk", "ODD": "1"}


def manifest(*command: str, **more: object) -> Manifest:
    return Manifest(name="web", title="Web", port=9300, command=command, cwd="/", **more)  # type: ignore[arg-type]


def test_words_are_filled_in_and_other_braces_stay() -> None:
    words = foreign.command(manifest("x", "--port={port}", "{host}:{port}", "{state}/{other}"), SETTINGS, 9400)
    assert words == ["x", "--port=9400", "127.0.0.1:9400", "/state/{other}"]


def test_it_is_told_no_secret_that_it_does_not_name() -> None:
    env = foreign.environment(manifest("x", env={"MODE": "a"}), SETTINGS, 9400, AROUND)
    assert "planted" not in repr(env) and "ODD" not in env
    assert (env["PORT"], env["NAUTILUS_PORT"], env["NAUTILUS_ENGINE"], env["MODE"]) == ("9400", "9400", "web", "a")
    assert env["NAUTILUS_MEMBER"] == "/state", "the fleet knows its own"
    named = foreign.environment(
        manifest("x", pass_env=("NAUTILUS_BUS_MAIN_URL", "AWS_PROFILE")), SETTINGS, 9400, AROUND
    )
    assert (named["NAUTILUS_BUS_MAIN_URL"], named["AWS_PROFILE"]) == ("redis://:planted@x", "desk")
    assert "NAUTILUS_TOKEN" not in named and "AWS_SECRET" not in named


def test_its_program_is_found_or_said_to_be_missing(tmp_path: Path) -> None:
    own = tmp_path / "run.sh"
    own.write_text("#!/bin/sh\n")
    local = replace(manifest("./run.sh"), cwd=str(tmp_path))
    with pytest.raises(ManifestErrors, match=r"'\./run\.sh' is no program that can be run"):
        foreign.found(local, AROUND)
    own.chmod(0o755)
    assert Path(foreign.found(local, AROUND)).samefile(own)
    assert foreign.found(manifest("sh"), AROUND).endswith("/sh")


def test_all_that_is_missing_is_said_at_once_and_only_of_the_wanted() -> None:
    gone = [replace(manifest("no-such-program"), name="a"), replace(manifest("sh"), name="b", cwd="/no/such")]
    with pytest.raises(ManifestErrors) as caught:
        foreign.check(gone, ["a", "b"], AROUND)
    assert len(caught.value.mistakes) == 2
    foreign.check(gone, [], AROUND)
