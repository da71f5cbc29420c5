"""Owns what the attempts of one task that runs may look like, given its script (SEMANTICS 2 and 6, PROTOCOL 2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from orchestrator.core.definition import TaskDefinition
from tests.simulation.plan import Script

CHILD_DEATHS = 3
WORKER_LOSSES = 10

GIVEN_UP = "lost"
"""How the reason of an attempt begins that was lost too often."""

GIVEN_UP_IN_QUEUE = "queue timeout"
"""The reason of an attempt that no worker began in time: nothing of its script was followed."""

REFUSED = "check: "
"""How the reason of an attempt begins whose outputs its check refused."""

CHILD_DIED = "child died"
"""Stands in the reason of an attempt whose own child died."""

ENDS = frozenset({"SUCCESS", "FAILURE"})
INTERRUPTED_ENDS = ENDS | {"KILLED"}
REPLACED = frozenset({"FAILURE", "LOST"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenAttempt:
    """One row of a task instance, at the end.

    Attributes:
        failures: What the row says about failed attempts before it.
        created_at: When it was submitted.
        overdue: It was ended for its timeout, which it had earned, although its script does not hang.
        kept: It took its outputs from the cache: nothing of its script was followed.
        child_state: How the run stood that it waited for, when that decided it.
        cut_by_hand: People stopped that run, or tried to.
        let_go: People let that run go on by hand, even while the one that waits for it was paused.
        forced: It failed or was killed, as its state says, and people then declared it a success.
    """

    task: str
    attempt: int
    state: str
    reason: str | None = None
    error: str | None = None
    failures: int = 0
    current: bool = True
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    overdue: bool = False
    kept: bool = False
    child_state: str | None = None
    cut_by_hand: bool = False
    let_go: bool = False
    forced: bool = False

    @property
    def is_cut(self) -> bool:
        """Whether it was killed because people had stopped the run that it waited for."""
        return self.state == "KILLED" and self.child_state == "STOPPED" and self.cut_by_hand


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The attempts of one task, with what they are measured by.

    Attributes:
        rows: In order of their numbers; at least one.
        interrupted: The run may have been stopped, or ended by a failure, at any moment.
        disturbed: Things broke around it, so that attempts may have been lost without their script's doing.
        forgot: Redis forgot something: a hand-over may have been taken back before its death was told.
        clock_jumped: The clock of the rows jumped: their times say nothing about order.
        is_over: A recover or rerun came behind these attempts: none of them is current any more.
        again: They are not the first attempts of their task: part of the script was followed before.
    """

    task: TaskDefinition
    script: Script
    rows: Sequence[SeenAttempt]
    interrupted: bool = False
    disturbed: bool = True
    forgot: bool = False
    clock_jumped: bool = False
    is_over: bool = False
    again: bool = False

    @property
    def last(self) -> SeenAttempt:
        """The attempt that decides."""
        return self.rows[-1]

    @property
    def given_up(self) -> bool:
        """Whether its last attempt was lost once too often."""
        return self.last.state == "FAILURE" and (self.last.reason or "").startswith(GIVEN_UP)

    @property
    def scripted(self) -> Sequence[SeenAttempt]:
        """The attempts that failed by their own doing."""
        failed = [row for row in self.rows if row.state == "FAILURE"]
        return failed[:-1] if self.given_up else failed

    @property
    def used_up(self) -> bool:
        """Whether it failed for good: all its tries failed, or it was lost too often."""
        failed = self.last.state == "FAILURE"
        return failed and (self.given_up or len(self.scripted) == self.task.retries + 1)


def by_run_count(rows: Sequence[SeenAttempt]) -> list[list[SeenAttempt]]:
    """Return the attempts of one task, those of each beginning of it together: a retry counts its failures on."""
    parts: list[list[SeenAttempt]] = []
    for row in rows:
        if not parts or (row.failures == 0 and parts[-1][-1].state != "LOST"):
            parts.append([])
        parts[-1].append(row)
    return parts


def attempt_faults(account: Account) -> Iterator[str]:
    """Yield what is wrong with the attempts of a task that was to run."""
    rows = account.rows
    first = rows[0].attempt if account.again else 1
    if [row.attempt for row in rows] != list(range(first, len(rows) + first)):
        yield f"its attempts are numbered {[row.attempt for row in rows]}"
    if [row.attempt for row in rows if row.current] != ([] if account.is_over else [account.last.attempt]):
        yield f"of {len(rows)} attempts, current are {[row.attempt for row in rows if row.current]}"
    for row in rows[:-1]:
        if row.state not in REPLACED:
            yield f"attempt {row.attempt} is {row.state} and yet there is another one"
    if account.last.state not in (INTERRUPTED_ENDS if account.interrupted else ENDS):
        yield f"it is left {account.last.state}"
        return
    yield from _failure_faults(account)
    yield from _loss_faults(account)
    if not account.clock_jumped:
        yield from _time_faults(rows)


def _failure_faults(account: Account) -> Iterator[str]:
    """Yield where the failed attempts are not those of the script."""
    yield from _counting_faults(account.rows)
    script, failed = account.script, len(account.scripted)
    late = sum(row.overdue or row.reason == GIVEN_UP_IN_QUEUE for row in account.scripted)
    most = late if script.deaths >= CHILD_DEATHS else min(script.failures, account.task.retries + 1)
    if failed > most:
        reasons = [row.reason for row in account.scripted]
        yield f"{failed} attempts failed, and by its script at most {most} do: {reasons}"
    for row in account.scripted:
        if (row.reason == "timeout") is not (script.hangs or row.overdue):
            yield f"attempt {row.attempt} failed with {row.reason!r}, and its script hangs: {script.hangs}"
        if (row.reason or "").startswith(REFUSED) is not script.spoils:
            yield f"attempt {row.attempt} failed with {row.reason!r}, and its script spoils: {script.spoils}"
    yield from _end_faults(account, failed)


def _end_faults(account: Account, failed: int) -> Iterator[str]:
    """Yield where the last attempt is not what the failures before it lead to."""
    task, script = account.task, account.script
    if account.last.kept:
        if not task.cache:
            yield "it took its outputs from the cache, and is not cached"
        return
    if account.last.state == "SUCCESS":
        if script.deaths >= CHILD_DEATHS:
            yield "it is SUCCESS, and by its script every child of it dies"
        if failed != script.failures:
            yield f"it is SUCCESS after {failed} failures, and by its script after {script.failures}"
        return
    if failed > task.retries and (account.given_up or account.last.state == "KILLED"):
        yield f"it is {account.last.state} behind {failed} failures: it has {task.retries} retries"
    if account.last.state == "FAILURE" and not (account.used_up or account.interrupted):
        yield f"it is FAILURE after {failed} failures and has {task.retries} retries"


def _counting_faults(rows: Sequence[SeenAttempt]) -> Iterator[str]:
    before = 0
    for row in rows:
        if row.failures != before:
            yield f"attempt {row.attempt} counts {row.failures} failures before it, and there are {before}"
        before += row.state == "FAILURE"


def _loss_faults(account: Account) -> Iterator[str]:
    """Yield where attempts were lost too often, too rarely, or given up too early."""
    children, workers = 0, 0  # in a row
    for row in account.rows[:-1]:
        if row.state != "LOST":
            children, workers = 0, 0
            continue
        children, workers = (children + 1, workers) if _is_child_death(row) else (children, workers + 1)
        if workers >= WORKER_LOSSES or (children >= CHILD_DEATHS and not workers):
            yield f"attempt {row.attempt} is LOST and was tried again, after {children} deaths of its child"
    if account.given_up:
        died = _is_child_death(account.last)
        number, limit = (children + 1, CHILD_DEATHS) if died else (workers + 1, WORKER_LOSSES)
        if number < limit:
            yield f"it was given up after {number} of {limit}: {account.last.reason}"
    elif not (account.interrupted or account.again):
        yield from _missing_losses(account)


def _missing_losses(account: Account) -> Iterator[str]:
    lost = sum(row.state == "LOST" for row in account.rows)
    scripted = min(account.script.deaths, CHILD_DEATHS - 1)
    excused = account.forgot or account.last.kept or account.last.reason == GIVEN_UP_IN_QUEUE
    if (lost < scripted and not excused) or (lost > scripted and not account.disturbed):
        yield f"{lost} attempts were LOST, and {scripted} died by its script"


def _is_child_death(row: SeenAttempt) -> bool:
    return CHILD_DIED in (row.reason or "")


def _time_faults(rows: Sequence[SeenAttempt]) -> Iterator[str]:
    for row in rows:
        times = [time for time in (row.created_at, row.started_at, row.ended_at) if time is not None]
        if times != sorted(times):
            yield f"attempt {row.attempt} ended before it started, or started before it was made"
    for earlier, later in pairwise(rows):
        if earlier.ended_at and later.created_at and later.created_at < earlier.ended_at:
            yield f"attempt {later.attempt} was made before the one before it ended"
