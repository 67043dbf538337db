"""The strategy engine's process."""

from engines.kit.serve import serve
from engines.strategy.service import engine


def main() -> None:
    """Serve until told to stop."""
    serve(engine)


if __name__ == "__main__":
    main()
