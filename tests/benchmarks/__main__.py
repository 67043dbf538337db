"""Runs the benchmarks one after the other and writes docs/benchmarks.md.  `python -m tests.benchmarks [NAME...]`

Each benchmark is a module `bench_<name>` that prints what it measured, paired with its peer where there is one, in one
run.  Machines are noisy: medians and ratios count, single figures do not.
"""

import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path

from stress.host import host_record

FOLDER = Path(__file__).parent
TARGET = FOLDER.parents[1] / "docs" / "benchmarks.md"


def main(names: list[str]) -> int:
    """Run what is named, or all; sections of benchmarks that were not run are kept."""
    known = [path.stem.removeprefix("bench_") for path in sorted(FOLDER.glob("bench_*.py"))]
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"There is no benchmark {', '.join(unknown)}.  Known: {', '.join(known)}", file=sys.stderr)
        return 2
    sections = _read()
    failed = False
    for name in names or known:
        print(f"== {name}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", f"tests.benchmarks.bench_{name}"], stdout=subprocess.PIPE, text=True, check=False
        )
        print(done.stdout)
        failed |= done.returncode != 0
        if done.returncode == 0:
            sections[name] = f"{_where()}\n\n```\n{done.stdout.strip()}\n```"
    _write(sections)
    return int(failed)


def _where() -> str:
    host = host_record()
    when = datetime.datetime.now(datetime.UTC).date().isoformat()
    load = os.getloadavg()[0]
    return f"{when}, {host.cpu_model}, {host.cores} cores, Python {platform.python_version()}, load average {load:.1f}"


def _read() -> dict[str, str]:
    if not TARGET.exists():
        return {}
    parts = TARGET.read_text("utf-8").split("\n## ")[1:]
    return {part.partition("\n")[0].strip(): part.partition("\n")[2].strip() for part in parts}


def _write(sections: dict[str, str]) -> None:
    head = "# Benchmarks\n\nWritten by `make bench`. Each section is one run on the machine that it names.\n"
    body = "".join(f"\n## {name}\n\n{text}\n" for name, text in sorted(sections.items()))
    TARGET.write_text(head + body, "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
