"""What the Linux kernel gives: clock, sockets, addresses, privileges; no DHCP."""
