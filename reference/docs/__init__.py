"""The generated parts of docs/; no text that is written by hand."""
