"""The cores behind real sockets and a real kernel: Linux, one Ethernet interface (decision 18)."""
