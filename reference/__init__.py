"""What runs: the cores, the command line, and what holds both to the model."""
