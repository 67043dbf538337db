"""`python -m engines.backtesting`: the backtesting engine's process."""

from engines.backtesting.service import engine
from engines.kit.serve import serve


def main() -> None:
    """Serve until told to stop."""
    serve(engine)


if __name__ == "__main__":
    main()
