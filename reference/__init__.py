"""What runs: the command line."""
