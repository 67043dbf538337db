"""Pure functions from a run's records to figures, one module per subject."""
