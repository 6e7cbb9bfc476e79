"""One audit by many workers: who concerns whom, spools on disk, a crew, and one report."""
