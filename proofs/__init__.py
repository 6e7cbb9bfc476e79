"""Why it is true: the lease table read as logic, one script per theorem."""
