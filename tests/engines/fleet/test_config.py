"""Settings: who has the last word, where a value comes from, and every mistake at once."""

from pathlib import Path

import msgspec
import pytest

from engines.fleet import config
from engines.fleet.config import SETTINGS, ConfigErrors
from engines.fleet.policy import Rules
from engines.fleet.spec import decode, encode
from engines.wire.manifest import Manifest, discover, pick


class World:
    """A project, a user and an environment of a test."""

    def __init__(self, folder: Path) -> None:
        self.project, self.user = folder / "p", folder / "u/nautilus"
        for path in (self.project, self.user):
            path.mkdir(parents=True)
        self.env = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "u")}

    def say(self, project: str = "", user: str = "") -> None:
        (self.project / "nautilus.toml").write_text(project)
        (self.user / "config.toml").write_text(user)

    def load(self, **more: str) -> config.Config:
        return config.load({**self.env, **more}, self.project)

    def origin(self, key: str, **more: str) -> tuple[object, str]:
        value = next(value for value in self.load(**more).values if value.key == key)
        return value.value, value.origin.rpartition("/")[2]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_environment_over_project_over_user_over_default(world: World) -> None:
    assert world.origin("fleet.host") == ("127.0.0.1", "default")
    world.say(user='[fleet]\nhost = "10.0.0.1"\n')
    assert world.origin("fleet.host") == ("10.0.0.1", "config.toml")
    world.say(user='[fleet]\nhost = "10.0.0.1"\n', project='[fleet]\nhost = "10.0.0.2"\n')
    assert world.origin("fleet.host") == ("10.0.0.2", "nautilus.toml")
    assert world.origin("fleet.host", NAUTILUS_HOST="10.0.0.3") == ("10.0.0.3", "environment NAUTILUS_HOST")
    assert world.origin("fleet.host", NAUTILUS_HOST="") == ("10.0.0.2", "nautilus.toml"), "an empty one says nothing"


def test_every_setting_can_be_given_and_a_fleet_follows_it(world: World) -> None:
    world.say(
        '[fleet]\nname = "desk"\nhome = "state"\nport_offset = 100\nengines = ["risk"]\nnice = 3\nlaunch = "spawn"\n'
        "[rules]\nstall_s = 1.5\ncrashes = 9\n"
        '[control]\nlisten = "127.0.0.1:1"\n[notify]\ncommand = ["bell"]\non = ["ready"]\n[stress]\nruns = "r"\n'
    )
    found = world.load()
    assert {value.key for value in found.values} == {setting.key for setting in SETTINGS}
    spec = config.spec(found, port_offset=7)
    assert (spec.name, spec.engines, spec.port_offset, spec.nice, spec.launch) == ("desk", ("risk",), 7, 3, "spawn")
    assert (spec.rules.stall_s, spec.rules.crashes, spec.rules.cap_s) == (1.5, 9, Rules().cap_s)
    assert (spec.listen, spec.notify.command, spec.notify.on) == ("127.0.0.1:1", ("bell",), ("ready",))
    assert found.get("fleet.home") == world.project / "state", "relative to the file"
    assert found.get("stress.runs") == world.project / "r"
    assert decode(encode(spec)) == spec


def test_a_flag_that_says_nothing_changes_nothing(world: World) -> None:
    world.say('[fleet]\nengines = ["risk"]\n')
    assert config.spec(world.load(), engines=None).engines == ("risk",)
    assert config.spec(world.load(), engines=("ml",)).engines == ("ml",)


def test_every_mistake_at_once(world: World) -> None:
    world.say(
        '[fleat]\n[fleet]\nport_offset = -1\nlanch = "x"\n[rules]\nstall_s = 0\ncrashes = 2.5\n'
        "[engines.w]\nport = 9300\n",
        '[fleet]\nnice = 40\n[engines.x]\ncommand = "x"\nport = 9301\n',
    )
    with pytest.raises(ConfigErrors) as caught:
        world.load(NAUTILUS_PORT_OFFSET="many", NAUTILUS_LAUNCH="fly")
    said = "\n".join(caught.value.mistakes)
    for part in (
        "There is no table 'fleat'. Did you mean 'fleet'?",
        "There is no setting 'lanch'. Did you mean 'launch'?",
        "rules.stall_s: Expected `float` > 0",
        "rules.crashes: Expected `int`",
        "fleet.nice: Expected `int` <= 19",
        "NAUTILUS_PORT_OFFSET: Expected `int`",
        "NAUTILUS_LAUNCH: Invalid enum value 'fly'",
        "config.toml: engines: they belong into a project's nautilus.toml",
        "engines.w: command is missing",
    ):
        assert part in said, said


def test_what_is_no_toml_and_what_is_not_there(world: World) -> None:
    world.say(project="[fleet\n")
    with pytest.raises(ConfigErrors, match=r"nautilus\.toml: not TOML"):
        world.load()
    with pytest.raises(ConfigErrors, match=r"NAUTILUS_PROJECT=/nowhere: there is no nautilus\.toml"):
        config.load({**world.env, "NAUTILUS_PROJECT": "/nowhere"})


def test_every_rule_is_a_setting() -> None:
    keys = {setting.key for setting in SETTINGS if setting.key.startswith("rules.")}
    assert keys == {f"rules.{name}" for name in Rules.__struct_fields__}


DOCUMENT = (Path(__file__).parents[3] / "docs/configuration.md").read_text("utf-8")


def test_the_document_has_every_setting_and_variable() -> None:
    table = DOCUMENT.partition("## Settings")[2].partition("\n## ")[0]
    for setting in SETTINGS:
        row = next((line for line in table.splitlines() if f"`{setting.key}`" in line), "")
        assert row and (not setting.variable or f"`{setting.variable}`" in row), setting.key


def test_the_documents_example_is_valid(tmp_path: Path) -> None:
    example = DOCUMENT.partition("```toml")[2].partition("```")[0]
    (tmp_path / "nautilus.toml").write_text(example)
    found = pick(discover(project_of=tmp_path), "pricer")
    own = {
        "consumes",
        "publishes",
        "preload",
        "orders",
        "stale_s",
        "alerts",
        "denials",
        "package",
        "name",
        "boot_budget_s",
        "replaces",
        "origin",
    }
    fields = [field for field in msgspec.structs.fields(Manifest) if field.name not in own]
    assert all(f"{field.name} =" in example or f".{field.name}]]" in example for field in fields), (
        "every field is shown"
    )
    assert found.foreign and found.load[0].check is not None
