"""Connectors to external sources of market data, one file each, behind `source.Source`."""
