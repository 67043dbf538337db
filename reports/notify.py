"""Tell someone of a run's end: a command that reads the document from standard input, or a URL that takes it as a POST.

A target may hold a secret (a webhook's path is one), so errors name its program or host only.
"""

import shlex
import subprocess
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import msgspec

from reports.errors import ReportError

TIMEOUT_S = 10.0
_URL = ("http://", "https://")


class _Stay(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without the document: it counts as refused."""

    def redirect_request(self, *_: object) -> None:
        """None: go nowhere."""


def notify(target: str, document: object, timeout_s: float = TIMEOUT_S) -> None:
    """Send a document as JSON. ``target``: a URL (http, https), or a command line, which no shell reads.

    Raises ReportError when it was not taken within the time: the command is missing or ends otherwise than with 0, the
    server does not answer or answers otherwise than with 2xx.
    """
    body = msgspec.json.encode(document)
    if target.startswith(_URL):
        _post(target, body, timeout_s)
    else:
        _run(target, body, timeout_s)


def _run(line: str, body: bytes, timeout_s: float) -> None:
    try:
        argv = shlex.split(line)
    except ValueError as error:
        raise _failed("the command", f"Its line cannot be read: {error}.") from error
    if not argv:
        raise _failed("the command", "Its line is empty.")
    try:
        done = subprocess.run(argv, input=body, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise _failed(argv[0], f"It did not end within {timeout_s:g} s, and was stopped.") from error
    except OSError as error:
        raise _failed(argv[0], f"{error.strerror}.") from error
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise _failed(argv[0], f"It ended with {done.returncode}{': ' + last[0] if last else ''}.")


def _post(url: str, body: bytes, timeout_s: float) -> None:
    host = urlsplit(url).hostname or "the URL"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310 - checked
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=timeout_s) as answer:
            answer.read(1)
    except urllib.error.HTTPError as error:
        error.close()
        raise _failed(host, f"It answered {error.code}.") from error
    except (OSError, ValueError) as error:  # no name, no connection, no answer in time; no URL after all
        reason = getattr(error, "reason", error)
        raise _failed(host, f"{reason}.") from error


def _failed(whom: str, why: str) -> ReportError:
    return ReportError(f"Could not tell {whom} of the run.", why, "The run itself is whole: nautilus report show")
