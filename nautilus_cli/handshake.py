"""`nautilus --version`: this program's, the running supervisor's, and whether they fit."""

import os

from engines.wire.errors import NautilusError, NotRunning
from engines.wire.settings import DEFAULT_FLEET
from engines.wire.version import VERSION
from nautilus_cli.console import Console
from nautilus_cli.exits import ExitCode


def versions() -> ExitCode:
    """Show both; the supervisor is asked only where there is one."""
    from engines.fleet import control, folders

    console = Console()
    console.show(f"nautilus {VERSION}")
    fleet = os.environ.get("NAUTILUS_FLEET") or DEFAULT_FLEET
    try:
        found = control.greet(folders.of(fleet).control)
    except NotRunning:
        return ExitCode.OK
    except NautilusError as error:
        console.say(f"The supervisor of fleet {fleet!r} cannot be asked: {error}")
        return ExitCode.FAILED
    console.show(f"supervisor {found.version or 'of an older version'}, protocol {found.protocol}, pid {found.pid}")
    if found.protocol != control.PROTOCOL:
        console.say(f"It speaks protocol {found.protocol}, this command {control.PROTOCOL}: they do not fit.")
        console.say("Next: nautilus down && nautilus up")
        return ExitCode.FAILED
    if found.version != VERSION:
        console.say("It was started by another version that still fits.")
        console.say("Next, when it suits: nautilus down && nautilus up")
    return ExitCode.OK
