"""Programs in the place of a scene's server: one that refuses, one that chooses what to grant."""
