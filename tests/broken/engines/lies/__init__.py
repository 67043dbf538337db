"""Analytics that lies in `/health`: it consumes nothing, and says that it is healthy, old, and has done much."""
