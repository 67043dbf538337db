"""Which programs the foreign engines of a fleet are, so that two runs can be told apart by them."""

import hashlib
from collections.abc import Iterable
from pathlib import PurePath

import msgspec

from engines.wire.manifest import Manifest


def programs(manifests: Iterable[Manifest]) -> dict[str, str]:
    """Of each foreign engine the file name of its program, and a digest of its words and folder.

    A command of the user's own may hold a secret: the words themselves are not kept.  SHA-256 of the JSON array
    `[cwd, word, ...]`, words as they are declared.
    """
    return {each.name: f"{PurePath(each.command[0]).name} sha256:{_digest(each)}" for each in manifests if each.foreign}


def _digest(manifest: Manifest) -> str:
    return hashlib.sha256(msgspec.json.encode([manifest.cwd, *manifest.command])).hexdigest()
