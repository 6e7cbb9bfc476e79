"""What is told of a lease and not waited for: hooks, name servers, lines for a reader."""
