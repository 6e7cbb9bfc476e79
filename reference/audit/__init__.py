"""From captures, host logs and server records: who held which address, and who was entitled to it.

`observations.py` has the values that the rooms hand to each other: `inputs` makes them of bytes,
`monitor` draws conclusions, `report` tells them.
"""
