"""Faults that a mission injects on purpose: each with its proof, its undo, and a journal that survives the operator."""
