"""Every state of a small instance, in plain Python; compiled code is in engine/."""
