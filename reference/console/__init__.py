"""What every command shares: output, progress, signals; no command."""
