"""Owns which task types the master decides itself: they are never handed to a worker."""

from orchestrator.core.branches import CONDITIONS

APPROVAL = "approval"
DEPENDENT = "dependent"
SWITCH = "switch"

LOGIC_TYPES = frozenset({APPROVAL, CONDITIONS, DEPENDENT, SWITCH})
"""Types that no worker ever sees."""

WAITS_FOR_SIGNAL = "waits for a signal"
"""Reason of an approval that runs."""

JUDGED_TYPES = frozenset({SWITCH})
"""Types whose submitted attempts wait for a judgement on values: `master.judge`."""
