"""The real master and the real worker protocol in one thread, under every fault, on a simulated clock."""
