"""Root file systems of other releases: what is in one, and how one is made; no link, no client."""
