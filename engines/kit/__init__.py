"""What every engine stands on: the service, the consumer loop, the store, and `serve`, which wires one engine once."""
