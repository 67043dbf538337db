"""A program that knows nothing of fleets: it answers HTTP on a port.  `python foreign_toy.py PORT NAME FOLDER`.

What it does is read from `<folder>/habit-<name>` at each request; signals and starts are in `<folder>/diary-<name>`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT, NAME, FOLDER = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])


def note(text: str) -> None:
    with (FOLDER / f"diary-{NAME}").open("a") as file:
        file.write(f"{text} {time.monotonic()}\n")


def habit() -> str:
    path = FOLDER / f"habit-{NAME}"
    return path.read_text() if path.exists() else ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if habit() == "hang":
            time.sleep(60)
        body = json.dumps({"state": {"ok": habit() != "unwell"}, "env": sorted(os.environ), "value": 7}).encode()
        self.send_response(503 if habit() == "refuse" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


def told(number: int, _frame: object) -> None:
    note(signal.Signals(number).name)
    if habit() != "deaf":
        os._exit(0)


for each in (signal.SIGTERM, signal.SIGINT):
    signal.signal(each, told)
note("start")
if habit() == "children":
    subprocess.Popen(["sleep", "600"])
ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
