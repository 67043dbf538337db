"""`nautilus`, `nautilusctl` and `python -m nautilus_cli`."""

import sys
from pathlib import Path


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        from nautilus_cli import interrupts, streams

        streams.install()
        with interrupts.tidily():
            import typer

            from nautilus_cli.app import app

            name = Path(sys.argv[0]).name
            typer.main.get_command(app).main(prog_name="nautilus" if name == "__main__.py" else name)
    except KeyboardInterrupt:  # before there was a command, which has its own way
        sys.exit(130)


if __name__ == "__main__":
    main()
