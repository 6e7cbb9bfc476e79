"""Client and server as pure functions on values; the standard library alone, no Linux."""
