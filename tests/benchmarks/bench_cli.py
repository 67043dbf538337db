"""Start-up cost of the command line: `nautilus --help` beside an empty Typer application, `nautilus health` whole."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EMPTY = """
import typer
app = typer.Typer()
@app.command()
def main() -> None:
    "Nothing."
app()
"""
ROUNDS = 15


def timed(command: list[str], env: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, env=env, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    nautilus = str(Path(sys.executable).with_name("nautilus"))
    with tempfile.TemporaryDirectory() as home:
        env = os.environ | {"NAUTILUS_HOME": home}
        empty = Path(home) / "empty.py"
        empty.write_text(EMPTY)
        ours, theirs = [], []
        for _ in range(ROUNDS):  # alternating
            ours.append(timed([nautilus, "--help"], env))
            theirs.append(timed([sys.executable, str(empty), "--help"], env))
        mine, peer = statistics.median(ours), statistics.median(theirs)
        print(f"nautilus --help {mine:.3f} s, an empty Typer application --help {peer:.3f} s, ratio {mine / peer:.2f}")
        subprocess.run([nautilus, "up", "--port-offset", "15000", "-q"], env=env, check=True)
        try:
            health = statistics.median(timed([nautilus, "health", "--json"], env) for _ in range(ROUNDS))
            print(f"nautilus health, whole process: median {health:.3f} s")
        finally:
            subprocess.run([nautilus, "down", "-q"], env=env, check=True)


if __name__ == "__main__":
    main()
