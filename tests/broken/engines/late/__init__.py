"""Backtesting that answers late: every request waits for three tenths of a second."""
