"""The thirteen engines, the kit they stand on, the fleet that runs them, and the wire between."""
