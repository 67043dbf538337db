"""`python -m engines.backend`: the backend's process."""

from engines.backend.service import engine
from engines.kit.serve import serve


def main() -> None:
    """Serve until told to stop."""
    serve(engine)


if __name__ == "__main__":
    main()
