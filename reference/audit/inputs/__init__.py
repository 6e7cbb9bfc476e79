"""Captures, host logs and server records: from their bytes to observations in time order.

`reading.py` has the way in, `read_all`; `live.py` follows an interface.  A capture goes through
`stream.py` (bytes, unpacked), `formats.py` (where its frames stand), `walk.py` with `kernel/`
(who used which address) and `dhcp.py` (messages), and `points.py` joins what several captures saw.
`logs` has what is text.
"""
