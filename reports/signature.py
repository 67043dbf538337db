"""An optional signature over the sealed manifest: it shows that nobody rewrote a run and sealed it again.

HMAC-SHA256 (RFC 2104) with a key from the environment. Who has the key can sign; who has not can neither forge nor
check.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from reports.errors import ReportError
from reports.seal import MANIFEST

VARIABLE = "NAUTILUS_SIGNING_KEY"
SIGNATURE = "MANIFEST.sig"
SHORTEST = 16
_KIND = "hmac-sha256"

State = Literal["valid", "wrong", "absent", "unchecked", "unsigned"]
"""absent: there is a key and no signature. unchecked: there is a signature and no key. unsigned: neither."""


def key_of(env: Mapping[str, str] = os.environ) -> bytes | None:
    """The signing key; None when the variable is unset or empty. Raises ReportError when it is too short to be one."""
    text = env.get(VARIABLE, "")
    if not text:
        return None
    if len(text) < SHORTEST:
        raise ReportError(
            f"{VARIABLE} is too short.",
            f"A signing key has {SHORTEST} characters or more.",
            f"Make one: export {VARIABLE}=$(head -c 32 /dev/urandom | base64)",
        )
    return text.encode()


def sign(folder: Path, key: bytes) -> Path:
    """Sign the manifest that lies in ``folder``; raises ReportError when the run is not sealed."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ReportError(f"Cannot sign {folder.name}.", "It is not sealed.", "Run the mission again.")
    target = folder / SIGNATURE
    target.write_text(f"{_KIND} {_digest(path, key)}\n", encoding="ascii")
    return target


def check(folder: Path, key: bytes | None) -> State:
    """What the signature is worth."""
    path = folder / SIGNATURE
    if not path.is_file():
        return "unsigned" if key is None else "absent"
    if key is None:
        return "unchecked"
    kind, _, told = path.read_text(encoding="ascii", errors="replace").strip().partition(" ")
    if kind != _KIND or not (folder / MANIFEST).is_file():
        return "wrong"
    return "valid" if hmac.compare_digest(told.encode(), _digest(folder / MANIFEST, key).encode()) else "wrong"


def _digest(path: Path, key: bytes) -> str:
    return hmac.new(key, path.read_bytes(), hashlib.sha256).hexdigest()
