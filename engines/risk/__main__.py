"""Runs the risk engine."""

from engines.kit.serve import serve
from engines.risk.service import engine


def main() -> None:
    """Serve until told to stop."""
    serve(engine)


if __name__ == "__main__":
    main()
