"""One client, one fault, one lease, played once, and its verdict; no page."""
