"""Clients and networks as data: profiles, measurements, requirements; no rule, no verdict."""
