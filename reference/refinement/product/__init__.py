"""A world searched part by part: nodes as integers, what leads from one to the next, the search."""
