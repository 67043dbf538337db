"""A price-time priority limit order book: compiled kernel, plain arrays, integers only."""
