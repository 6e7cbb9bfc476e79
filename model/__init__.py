"""What is true: expressions, the lease table, profiles, the explorer."""
