"""Configuration files at work: what they say is the default of the flags, and flags and variables override it."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

from engines.wire import project

_FLAGS = {  # a parameter of any command: the setting that gives its default
    "fleet": "fleet.name",
    "host": "fleet.host",
    "port_offset": "fleet.port_offset",
    "runs": "stress.runs",
    "root": "stress.runs",  # as `nautilus report` calls it
}
_HELP = frozenset({"--help", "-h", "--version", "-V"})


@contextlib.contextmanager
def configured(typed: Sequence[str]) -> Iterator[dict[str, Any] | None]:
    """Inside, the files that concern this call are in force; gives the flags' defaults, by parameter.

    None when there are no such files, or help is asked for.

    Raises:
        SettingsError: with every mistake in them.
    """
    if _HELP.intersection(typed) or not (project.find() or project.user_file()):
        yield None
        return
    from engines.fleet import config

    found = config.load()
    said = {name: found.given(key) for name, key in _FLAGS.items()}
    home = found.given("fleet.home")
    shows = typed[:1] == ["config"]  # it says where a setting comes from
    changed = {"NAUTILUS_HOME": str(home)} if home is not None and not shows else {}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield {name: str(value) for name, value in said.items() if value is not None}
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
