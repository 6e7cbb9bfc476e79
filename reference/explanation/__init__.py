"""A run followed on the lease table for people: course, cause, page; no verdict, no recording."""
