"""The worker's parts, one at a time, with twins of the ports in memory."""
