"""What follows for one client or network, and which safeguard cures what; no theorem."""
