"""Backtests in number: what is asked, and what an own computation gives."""
