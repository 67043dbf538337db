"""Units for service managers, which keep `nautilus up --foreground` running: systemd and launchd."""

import plistlib
import shlex
from collections.abc import Mapping
from pathlib import Path

import msgspec

from engines.wire.errors import UsageError

START_S = 180  # a first start compiles kernels
STOP_S = 45  # the fleet's own grace is shorter
FILES = 65_536


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """What a unit runs: absolute paths; `user` None for a unit of the calling user's own manager."""

    fleet: str
    program: Path
    home: Path
    project: Path | None = None
    user: str | None = None

    @property
    def name(self) -> str:
        """The unit's name without an ending."""
        return f"nautilus-{self.fleet}"

    @property
    def argv(self) -> tuple[str, ...]:
        """The command."""
        return (str(self.program), "up", "--foreground", "--fleet", self.fleet, "--quiet")

    @property
    def environment(self) -> Mapping[str, str]:
        """What it needs to know; no secret: those stay in the state folder."""
        return {"NAUTILUS_HOME": str(self.home), "NAUTILUS_PROJECT": str(self.project or ""), "PYTHONUNBUFFERED": "1"}


def systemd(service: Service) -> str:
    """A `.service` file (systemd.service(5)).

    The main process says when every engine is ready (Type=notify).  SIGTERM goes to it alone (KillMode=mixed): it stops
    the engines in their order, and what is left after the time-out is killed with the group.

    Raises:
        UsageError: a path cannot stand in a unit file.
    """
    for path in (service.program, service.home, service.project):
        if path is not None and any(sign in str(path) for sign in '\n"\\'):
            raise UsageError(f"{path} cannot stand in a unit file.", "It has quotes, backslashes or line breaks.")
    told = "\n".join(f'Environment="{name}={_percent(value)}"' for name, value in service.environment.items())
    wanted = "default.target" if service.user is None else "multi-user.target"
    return f"""\
[Unit]
Description=Nautilus fleet {service.fleet}
After=network.target
StartLimitIntervalSec=600
StartLimitBurst=5

[Service]
Type=notify
NotifyAccess=main
ExecStart={_percent(shlex.join(service.argv))}
{told}
WorkingDirectory=-{_percent(str(service.project or service.home))}
{f"User={service.user}" if service.user is not None else "# a unit of the user's own manager: it runs as that user"}
Restart=on-failure
RestartSec=5
SuccessExitStatus=130 143
RestartPreventExitStatus=2
KillMode=mixed
TimeoutStartSec={START_S}
TimeoutStopSec={STOP_S}
LimitNOFILE={FILES}
UMask=0077
NoNewPrivileges=yes

[Install]
WantedBy={wanted}
"""


def launchd(service: Service) -> bytes:
    """A property list for launchd (launchd.plist(5)): a daemon with `user`, else an agent."""
    log = str(service.home / f"{service.fleet}.launchd.log")
    facts = {
        "Label": f"org.nautilus.{service.fleet}",
        "ProgramArguments": list(service.argv),
        "EnvironmentVariables": dict(service.environment),
        "WorkingDirectory": str(service.project or service.home),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 5,
        "ExitTimeOut": STOP_S,
        "ProcessType": "Interactive",  # no throttling of timers and I/O
        "SoftResourceLimits": {"NumberOfFiles": FILES},
        "HardResourceLimits": {"NumberOfFiles": FILES},
        "Umask": 0o077,
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }
    if service.user is not None:
        facts["UserName"] = service.user
    return plistlib.dumps(facts, sort_keys=False)


def _percent(text: str) -> str:
    """A per cent sign begins a specifier."""
    return text.replace("%", "%%")
