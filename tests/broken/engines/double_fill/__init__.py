"""Strategy that fills twice: it publishes each fill of the venue once more."""
