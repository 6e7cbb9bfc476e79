"""A module a command: its options, and what it prints; nothing is decided here."""
