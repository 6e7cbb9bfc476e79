"""What outlives a process: leases, journals, values as JSON; nothing that is sent."""
