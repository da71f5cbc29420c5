"""Owns which task types the master decides itself: they are never handed to a worker."""

from orchestrator.core.branches import CONDITIONS

APPROVAL = "approval"
DEPENDENT = "dependent"
SUB_WORKFLOW = "sub_workflow"
SWITCH = "switch"

LOGIC_TYPES = frozenset({APPROVAL, CONDITIONS, DEPENDENT, SUB_WORKFLOW, SWITCH})
"""Types that no worker ever sees."""

WAITS_FOR_SIGNAL = "waits for a signal"
"""Reason of an approval that runs."""

JUDGED_TYPES = frozenset({SUB_WORKFLOW, SWITCH})
"""Types whose submitted attempts wait for values to be worked out: `master.judge`."""
