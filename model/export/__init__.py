"""The lease table written for other tools: TLA+, Promela, JavaScript; nothing here is read back."""
