"""The model's collision played on a real kernel; no measurement of a client alone."""
