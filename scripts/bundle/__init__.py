"""How the bundled market data are built: the sources, fetching them, writing Parquet and its metadata."""
