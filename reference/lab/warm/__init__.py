"""A Python that has imported what the lab's own programs need, and forks for each of them."""
