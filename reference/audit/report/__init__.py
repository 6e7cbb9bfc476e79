"""An audit told: text, JSON, SARIF, a page, comments in a copy of the capture, OpenMetrics."""
