"""T0 to T5, a file a theorem; what is said of one client is in verdicts/."""
