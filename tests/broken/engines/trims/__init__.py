"""Factor that trims its stream: what it has just published is dropped, whoever has not read it."""
