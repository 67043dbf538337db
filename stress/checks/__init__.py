"""The platform's invariants as pure checkers over the messages of a run.

A checker is a function of the evidence alone; it returns what it found broken, with the messages that show it.
One that cannot judge says so (NotJudged), and one that raises decides nothing: both are UNKNOWN, never a pass.
"""
