"""`nautilus`, `nautilusctl` and `python -m nautilus_cli`."""

import sys
from pathlib import Path


def main() -> None:
    """Run the command line and exit with its code."""
    import typer

    from nautilus_cli.app import app

    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that lacks a character is no reason to fail
    name = Path(sys.argv[0]).name
    typer.main.get_command(app).main(prog_name="nautilus" if name == "__main__.py" else name)


if __name__ == "__main__":
    main()
