"""Local servers that speak the protocols of the external sources, errors and throttling included."""
