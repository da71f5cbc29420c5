"""Owns the drawing of what people do by hand to runs that others have called."""

from dataclasses import replace
from random import Random

from tests.simulation.plan import UNTIL_OVER, UNTIL_REPORTED, Plan, PlannedTouch
from tests.simulation.workload_children import CALLS
from tests.simulation.workload_faults import LATEST_S
from tests.simulation.workload_length import longest_way_s

GOING_ON = (
    ("pause", "resume"),
    ("pause", "caller pause", "resume", "caller resume"),
    ("pause", "caller pause", "caller resume", "resume"),
    ("pause", "stop"),
    ("pause", "caller stop", "resume", "recover"),
    ("caller pause", "resume", "caller resume"),
    *[("caller pause", "resume", UNTIL_OVER, "caller resume")] * 3,
    ("caller pause", "resume", "caller stop", "caller resume"),
    ("caller pause", "stop", "caller resume"),
    ("stop",),
    ("stop", "recover"),
    ("stop", "caller recover"),
    ("stop", "recover", "caller recover"),
    ("hold", "release"),
    ("hold", "stop", "release"),
    ("hold", "caller pause", "release", "caller resume"),
    ("recover",),
    ("rerun",),
    ("force",),
)
"""What people do to a child that goes on; whatever is paused or held is let go, or stopped, in the end."""

AGAIN = (
    ("recover",),
    ("recover", "caller recover"),
    *[("recover", UNTIL_REPORTED, "caller recover")] * 4,
    ("rerun", UNTIL_REPORTED, "caller recover"),
    ("recover", "stop", "caller recover"),
    ("recover", "caller rerun"),
    ("rerun",),
    ("rerun", "stop"),
    ("rerun", "pause", "resume"),
    ("rerun", "caller recover"),
    ("rerun", "caller rerun"),
    ("force",),
    ("force", "caller recover"),
    ("caller recover", "stop"),
    ("caller recover", "recover"),
    ("caller recover", "rerun"),
    ("pause", "resume"),
    ("stop",),
)
"""What people do to a child that has ended."""

MOMENTS = {"now": 0.45, "ended": 0.3, "over": 0.25}

PAUSES_S = (0.02, 0.1, 0.3, 1.0, 4.0)
"""Between two commands: about as long as a commit, as a task, or as a whole child."""

MOST = 3
"""So often are the children of one run touched."""


def with_touches(plan: Plan, dice: Random) -> Plan:
    """Return the plan with people who control called runs by hand.

    Args:
        plan: With children.
        dice: Decides.
    """
    callers = [
        position
        for position, run in enumerate(plan.runs)
        if any(task.type == CALLS for task in run.definition.tasks)
    ]
    touches = [_touch(plan, position, dice) for position in callers for _ in range(dice.randint(1, MOST))]
    return replace(plan, touches=tuple(sorted(touches, key=lambda one: one.at_s)))


def _touch(plan: Plan, position: int, dice: Random) -> PlannedTouch:
    run = plan.runs[position]
    at_s = run.submit_at_s + dice.uniform(0.05, longest_way_s(run))
    moment = dice.choices(list(MOMENTS), list(MOMENTS.values()))[0]
    return PlannedTouch(
        at_s=round(min(at_s, LATEST_S), 3),
        run=position,
        steps=dice.choice(GOING_ON if moment == "now" else AGAIN),
        every_s=dice.choice(PAUSES_S),
        moment=moment,
        pick=round(dice.random(), 6),
        twice=dice.random() < 0.3,
    )
