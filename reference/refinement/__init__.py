"""The implementation explored: real cores, and the lease table's server, network and kernels.

`setting.py` has the settings, `cores.py` the local states and calls of a core, `justify.py` what
the lease table says of a call, `world.py` and `client_world.py` what may happen next, `product/`
and `search.py` the search, `coverage.py` which edges of the table were taken, `defects.py` what
happens to a client that is not quite this one.

What it does not know.  More datagrams in flight than a setting has.  Drift, suspend, steps of the
clock and second servers: the proofs are about those.  How an effect is carried out: at once and
entirely, here.  Between processes: that a predecessor sent DHCPRELEASE a moment ago.
"""
