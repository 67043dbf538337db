"""The last step of a run, whoever takes it: the mission itself, or `nautilus stress stop` after its death."""

from pathlib import Path

from reports import runs, seal, signature, verify


def finish(folder: Path, key: bytes | None, *, plots: bool) -> verify.Verification:
    """Render what was recorded, seal it, sign it where there is a key, and verify all of that."""
    runs.render(folder, with_plots=plots)
    seal.seal(folder)
    if key is not None:
        signature.sign(folder, key)
    return verify.verify(folder, key)
