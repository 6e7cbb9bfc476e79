"""Bytes to messages and back: options, packets, ARP, frames; no socket and no decision."""
