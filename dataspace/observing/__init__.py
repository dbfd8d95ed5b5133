"""How a process is seen: health, readiness, metrics, traces. Decides nothing, releases nothing."""
