"""Reports whose every figure is computed from a run's records, and can be computed again by another path."""
