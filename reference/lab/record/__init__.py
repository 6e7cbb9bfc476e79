"""What was recorded of a link, and what it shows; nothing here starts a program."""
