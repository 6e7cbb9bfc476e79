"""Each part of the lease table changed in turn, and what notices; not defects of the cores."""
