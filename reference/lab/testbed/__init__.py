"""Links of network namespaces with real programs on them; no verdict."""
