"""VPIN that drops messages: it skips every seventh batch of trades, and its ledger counts it as processed."""
