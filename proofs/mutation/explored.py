"""All small configurations, explored when this is imported: by whom others are forked from.

Theory of operation.  What the lease table does in each configuration is the same for every mutant
(`samples.py`).  A server of processes (multiprocessing's `forkserver`) imports this before it forks
the first of them, and they all have what was found.  It asks Z3 nothing, which would not survive.

What it does not know: mutants.
"""

from __future__ import annotations

import signal

from holdover.proofs.mutation.samples import samples

usual = signal.signal(signal.SIGINT, signal.SIG_DFL)  # who is interrupted here ends without a word
STATES = sum(len(known.seen.states) for known in samples())
"""How many states there are, of all configurations."""
signal.signal(signal.SIGINT, usual)
