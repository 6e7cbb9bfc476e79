"""The explorer's search for millions of states, compiled; no rule of the lease table."""
