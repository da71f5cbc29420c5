"""Owns which task types the master decides itself: they are never handed to a worker."""

from orchestrator.core.branches import CONDITIONS
from orchestrator.core.elements import MAP

APPROVAL = "approval"
DEPENDENT = "dependent"
SUB_WORKFLOW = "sub_workflow"
SWITCH = "switch"

LOGIC_TYPES = frozenset({APPROVAL, CONDITIONS, DEPENDENT, MAP, SUB_WORKFLOW, SWITCH})
"""Types that no worker ever sees; `map` is that of the group row of a task with `map:`, and cannot be written."""

WAITS_FOR_SIGNAL = "waits for a signal"
"""Reason of an approval that runs."""

JUDGED_TYPES = frozenset({MAP, SUB_WORKFLOW, SWITCH})
"""Types whose submitted attempts wait for values to be worked out: `master.judge`."""
