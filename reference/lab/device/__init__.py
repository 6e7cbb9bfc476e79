"""A device at a cable of this machine: its link, and whether an interface may be given away."""
