"""A small instance as numbers in one machine word, for the engine; no search."""
