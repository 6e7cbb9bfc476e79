"""What was seen to findings: what is possible, which rule was broken, by whom; it reads no file."""
