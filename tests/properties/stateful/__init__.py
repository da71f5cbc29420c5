"""Any workflows under any commands, faults and reports: they end, and never contradict a small reference model."""
