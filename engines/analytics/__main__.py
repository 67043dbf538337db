"""`python -m engines.analytics`: the analytics engine's process."""

from engines.analytics.service import engine
from engines.kit.serve import serve


def main() -> None:
    """Serve until told to stop."""
    serve(engine)


if __name__ == "__main__":
    main()
