"""Where a mission's private fleet is, for those who need no more of it than that."""

NAME = "mission"
FLEET = "fleet"  # its state's folder in the run folder
