"""What a run of the lab prints, draws and writes; it measures nothing."""
