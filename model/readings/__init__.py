"""What the lease table means: a value, a Python function, numbers, words; no search."""
