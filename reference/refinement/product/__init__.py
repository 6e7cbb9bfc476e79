"""A world searched part by part: nodes as integers, questions about them, the compiled search."""
