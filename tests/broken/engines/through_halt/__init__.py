"""A venue that trades through a halt: when one begins it fills the last order of each halted symbol, in the halt."""
