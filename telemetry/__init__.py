"""How a process reports: structured logs without customer content, and metrics."""
