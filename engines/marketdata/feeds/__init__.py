"""Live feeds: one per symbol, several at once, each with its own sequence, staleness and rate."""
