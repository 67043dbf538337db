"""The words on an engine's control pipe, and how long it has when nobody holds the other end any more.

The supervisor holds the write end of one pipe for each engine.  Its end of file means that the supervisor is gone: the
engine halts at once, says so, and ends.  Whoever cannot (stopped, or stuck in a call that holds the interpreter) is
killed by the zygote a little later.
"""

GATE = b"1"  # go on: what you start after is ready
HALT = b"H"  # send no more orders and withdraw the open ones; go on taking part
RESUME = b"R"  # orders may leave again
SAY_S = 0.5  # a halted engine without a supervisor stays so long, to be seen halted
END_S = 1.2  # and has ended after so long, by force if need be
REAP_S = 1.5  # then it is killed from outside
ORPHANED = 70  # exit code of a process that ended because its supervisor was gone
