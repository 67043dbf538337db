"""Run the engine: `python -m engines.vpin`."""

from engines.kit.serve import serve
from engines.vpin.service import engine


def main() -> None:
    """Serve until told to stop."""
    serve(engine)


if __name__ == "__main__":
    main()
