"""Owns the command group `runs`: where each of its commands stands, so that one is loaded without the others."""

import rich_click as click

from orchestrator.cli.lazy import Entry, LazyGroup

CLI = "orchestrator.cli"
CATALOGUE = {
    "list": Entry(target=f"{CLI}.listing:list_runs", summary="List runs, the newest first."),
    "show": Entry(target=f"{CLI}.showing:show", summary="Show one run with all its task instances."),
    "wait": Entry(
        target=f"{CLI}.waiting:wait",
        summary="Wait until runs have ended: 0 if all ended SUCCESS, else 1. PAUSED is not an end.",
    ),
    "watch": Entry(
        target=f"{CLI}.watching:watch",
        summary="Watch a run until it ends; Ctrl-C ends the watching, not the run.",
    ),
    "explain": Entry(
        target=f"{CLI}.explaining:explain",
        summary=(
            "Say why a run, or one of its tasks, does not run: one sentence per cause, the "
            "most decisive first."
        ),
    ),
    "logs": Entry(
        target=f"{CLI}.logs:logs",
        summary="Print what the attempts of a run wrote (of TASK, or of all tasks), exactly as written.",
    ),
    "pause": Entry(
        target=f"{CLI}.controlling:pause_runs",
        summary=(
            "Let nothing new start; what runs ends, what waits is held. Or only one task: "
            "held when it is ready."
        ),
    ),
    "resume": Entry(
        target=f"{CLI}.controlling:resume",
        summary=(
            "Go on with paused runs, or with one task that was paused by name: its run alone "
            "does not resume it."
        ),
    ),
    "stop": Entry(
        target=f"{CLI}.controlling:stop",
        summary="Kill running tasks (TERM, 5 s, KILL) and start nothing more.",
    ),
    "recover": Entry(
        target=f"{CLI}.controlling:recover",
        summary="Run again what failed, was killed or was not run, and everything behind it; the rest stays.",
    ),
    "rerun": Entry(
        target=f"{CLI}.controlling:rerun",
        summary="Run again a run that has ended: all of it, or from one task on, or one task.",
    ),
    "force-success": Entry(
        target=f"{CLI}.controlling:force_success",
        summary="Declare a failed or killed task of an ended run a success, with outputs if wanted.",
    ),
    "signal": Entry(
        target=f"{CLI}.controlling:signal",
        summary="Give an approval task the signal that it waits for; -p are its outputs.",
    ),
    "delete": Entry(
        target=f"{CLI}.deleting:delete",
        summary=(
            "Delete runs that have ended, with their children, attempts, alerts, kept "
            "results and logs: all or none."
        ),
    ),
}


@click.group(cls=LazyGroup, entries=CATALOGUE, epilog="Example: orchestrator runs list")
def runs() -> None:
    """Look at runs, wait for them, control them."""
