"""The walk over captured frames, compiled by numba; it makes no object of Python for a frame.

`places.py` finds frames in a buffer, `frames.py` looks at each of them once, with `runs.py` (who
used which address) and `messages.py` (DHCP); `columns.py` says what is where in their rows,
`words.py` reads numbers, `compiled.py` says how all of it is compiled.
"""
