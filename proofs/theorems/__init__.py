"""T0 to T7, a file a theorem; what is said of one client is in verdicts/."""
