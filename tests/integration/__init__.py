"""Parts together with real servers."""
