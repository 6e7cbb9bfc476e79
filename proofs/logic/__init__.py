"""The lease table as formulas, obligations, solvers; no theorem."""
