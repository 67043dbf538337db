"""The marketdata engine's process."""

from engines.kit.serve import serve
from engines.marketdata.service import engine


def main() -> None:
    """Serve until told to stop."""
    serve(engine)


if __name__ == "__main__":
    main()
