"""What this machine is, what it uses while it works, and which of its devices computes what fastest."""
