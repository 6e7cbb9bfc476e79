"""What is text: a host's log of its own addresses, and what servers write down of their leases.

`recognize.py` has the way in, `read_log`: it tells the format by what is in the file.  Each other
module reads the formats of one program, line by line.
"""
