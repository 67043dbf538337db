"""Market data at the edge: the bundle's tools, catalog, calendar, import, external sources and their simulators."""
