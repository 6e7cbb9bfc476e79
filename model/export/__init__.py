"""The lease table written for other tools: TLA+, Promela; nothing here is read back."""
