"""`python -m engines.websocket`: the websocket engine's process."""

from engines.kit.serve import serve
from engines.websocket.service import engine


def main() -> None:
    """Serve until told to stop."""
    serve(engine)


if __name__ == "__main__":
    main()
