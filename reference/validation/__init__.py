"""A journal held to the lease table, call by call; explorations are in refinement/."""
