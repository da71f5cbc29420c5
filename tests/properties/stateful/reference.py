"""Owns the reference model: what may be seen after a commit, given what was seen and asked for before.

It is written from SEMANTICS alone, in plain words, and shares no code with the product.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from tests.properties.stateful.picture import ENDED, Attempt, Picture, Run
from tests.properties.stateful.plan import WORKER, Plan, Step
from tests.properties.stateful.sharing import pool_faults, turn_faults
from tests.properties.stateful.states import ATTEMPT_MOVES, BEGUN, GOES, SPECIAL
from tests.properties.stateful.triggers import NOT_RUN, RUN, SKIP, Judgement


class Reference:
    """Looks at one picture after another.

    Args:
        pools: How many slots each has.
    """

    def __init__(self, pools: Mapping[str, int]) -> None:
        self._pools = pools
        self._plans: dict[str, Plan] = {}
        self.tops: dict[int, Plan] = {}
        self._asked: dict[int, Counter[str]] = {}
        self._said: dict[tuple[int, str, int], bool] = {}
        self._began: dict[tuple[int, str], int] = {}
        self._born_s: dict[tuple[int, str, int], float] = {}
        self._ends: dict[int, set[str]] = {}
        self.old = Picture()
        self.new = Picture()

    def submitted(self, run: int, plan: Plan) -> None:
        """Hear that a run of this plan was submitted; its children are of the plans below it."""
        self.tops[run] = plan
        self._plans.update((one.name, one) for one in plan.family())

    def asked(self, run: int, what: str) -> None:
        """Hear that a person asked for something, whether or not it fits."""
        self._asked.setdefault(run, Counter())[what] += 1

    def said(self, attempt: tuple[int, str, int], *, success: bool) -> None:
        """Hear what a worker said of an attempt."""
        self._said[attempt] = success

    def plan(self, run: int) -> Plan:
        """Return what a run is a run of."""
        return self.tops[run] if run in self.tops else self._plans[self.new.runs[run].workflow]

    def look(self, picture: Picture) -> list[str]:
        """Return everything that is wrong with what is seen now."""
        self.old, self.new = self.new, picture
        found = [line for run in picture.runs.values() for line in self._run_faults(run)]
        found += [line for one in picture.attempts.values() for line in self._attempt_faults(one)]
        serial = {one for one in picture.runs if self.plan(one).execution != "parallel"}
        return [*found, *pool_faults(picture, self._pools, self._pool), *turn_faults(picture, serial)]

    def paused_by_hand(self) -> list[int]:
        """Return the runs that are paused, or about to be, and that a person paused, not those above them."""
        runs = [run for run in self.new.runs.values() if run.state in {"PAUSING", "PAUSED"}]
        return [run.id for run in runs if self._asked.get(run.id, Counter())["pause"]]

    # --- runs --------------------------------------------------------------------------------

    def _run_faults(self, run: Run) -> Iterator[str]:
        old = self.old.runs.get(run.id)
        before = "SUBMITTED" if old is None else old.state
        again = run.run_count - (1 if old is None else old.run_count)
        current = self.new.current[run.id]
        if again < 0 or run.run_count - 1 > self._reached(run, "recover", "rerun"):
            yield f"run {run.id}: its run_count became {run.run_count}, and nobody asked for it"
        if before in ENDED and run.state != before and not again:
            yield f"run {run.id}: {before} became {run.state} by itself"
        if run.state in {"PAUSING", "PAUSED"} and not self._reached(run, "pause", "hold"):
            yield f"run {run.id} is {run.state}, and nobody asked for it"
        if run.state in {"STOPPING", "STOPPED"} and not self._may_be_stopped(run):
            yield f"run {run.id} is {run.state}, and nobody asked for it"
        if run.state in ENDED or (run.state == "PAUSED" and not self._may_be_stopped(run)):
            going = [one.task for one in current.values() if one.state in GOES]
            if going or (run.is_over and any(one.is_live for one in current.values())):
                yield f"run {run.id} is {run.state}, and these go on: {going}"
        if run.is_over and (again or run.state != before):
            self._ends.setdefault(run.id, set()).add(run.state)
            yield from self._end_faults(run, before)
        yield from self._born_faults(run, before, again=bool(again))

    def _reached(self, run: Run, *what: str) -> int:
        """Return how often this was asked of a run, or of one above it."""
        total = sum(self._asked.get(run.id, Counter())[one] for one in what)
        return total + (self._reached(self.new.runs[run.parent], *what) if run.parent else 0)

    def _may_be_stopped(self, run: Run) -> bool:
        plan = self.plan(run.id)
        own = plan.timeout_s is not None or plan.execution in {"serial_discard", "serial_priority"}
        if own or self._reached(run, "stop"):
            return True
        if run.parent is None or run.parent_task is None:
            return False
        parent = self.new.runs[run.parent]
        step = self._step(run.parent, run.parent_task)
        return parent.on_failure == "end" or step.timeout_s is not None or self._may_be_stopped(parent)

    def _end_faults(self, run: Run, before: str) -> Iterator[str]:
        """Yield what is wrong with the state in which a run has just ended (SEMANTICS section 3)."""
        plan, current = self.plan(run.id), self.new.current[run.id]
        judgement = Judgement(plan, current)
        failed = [one for one in self._failed(run) if one not in judgement.absorbed]
        open_ = [
            name
            for name, step in plan.steps.items()
            if not step.disabled and name not in current and judgement.word(name) != NOT_RUN
        ]
        killed = [one.task for one in current.values() if one.state == "KILLED"]
        cut = run.on_failure == "end" and bool(failed)
        right = "FAILURE" if failed else "SUCCESS"
        where = (
            f"run {run.id} ended {run.state} from {before}: failed {failed}, killed {killed}, open {open_}"
        )
        if run.state == "STOPPED":
            if not (killed or open_) and before not in {"SUBMITTED", "WAITING", "PAUSED"}:
                yield where
            return
        if run.state != right or (open_ and not cut) or (before == "STOPPING" and (killed or open_)):
            yield where
        if cut and before != "STOPPING":
            yield from self._clean_up_faults(run, plan, current)

    def _failed(self, run: Run) -> list[str]:
        current = self.new.current[run.id].values()
        return [one.task for one in current if one.group is None and one.state in {"FAILURE", "KILLED"}]

    def _clean_up_faults(self, run: Run, plan: Plan, current: Mapping[str, Attempt]) -> Iterator[str]:
        """Yield clean-up tasks that did not run although something before them had begun."""
        judgement = Judgement(plan, current, cut=True)
        for name, step in plan.steps.items():
            if step.disabled or name in current or step.trigger != "all_done" or step.kind == "conditions":
                continue
            begun = [one for one in judgement.ancestors(name) if one in current]
            if any(current[one].state != "SKIPPED" for one in begun):
                yield f"run {run.id}: the clean-up task {name} did not run"

    def _give_up_faults(self, attempt: Attempt, step: Step) -> Iterator[str]:
        """Yield if a task has just failed for good before its retries were used up."""
        run, failures = self.new.runs[attempt.run], self._failures(attempt)
        others = [one for one in self._failed(run) if one != attempt.task]
        ending = run.on_failure == "end" and others
        stopping = {"STOPPING", "STOPPED"} & {run.state, self.old.runs[run.id].state}
        if not (ending or stopping or attempt.reason.startswith(SPECIAL)) and failures <= step.retries:
            yield f"{attempt.key} is given up after {failures} failures, {step.retries} retries are allowed"

    def _failures(self, attempt: Attempt) -> int:
        """Return how many attempts have failed since the task began (again)."""
        first = self._began.get((attempt.run, attempt.task), 1)
        keys = ((attempt.run, attempt.task, number) for number in range(first, attempt.number + 1))
        return sum(self.new.attempts[key].state == "FAILURE" for key in keys if key in self.new.attempts)

    # --- new attempts ------------------------------------------------------------------------

    def _born_faults(self, run: Run, before: str, *, again: bool) -> Iterator[str]:
        plan, current = self.plan(run.id), self.new.current[run.id]
        cut = run.on_failure == "end" and bool(self._failed(run))
        judgements = [Judgement(plan, current), *([Judgement(plan, current, cut=True)] if cut else [])]
        for one in [one for one in self.new.attempts.values() if one.run == run.id]:
            if one.key in self.old.attempts:
                continue
            self._born_s[one.key] = self.new.at_s
            if before == "STOPPING" and not again:
                yield f"{one.key} began while its run was stopping"
            if before == run.state == "PAUSING" and one.state not in {"PAUSED", "SKIPPED", "SUCCESS"}:
                yield f"{one.key} began {one.state} while its run was pausing"
            if one.group is not None:
                yield from self._element_faults(run, one)
            elif self._follows(one) and not again:
                yield from self._retry_faults(one)
            else:
                self._began[run.id, one.task] = one.number
                yield from self._first_faults(one, judgements)

    def _follows(self, attempt: Attempt) -> bool:
        """Whether an attempt is a retry or a replacement of the one before it."""
        old = self.old.attempts.get((attempt.run, attempt.task, attempt.number - 1))
        return old is not None and old.current

    def _retry_faults(self, attempt: Attempt) -> Iterator[str]:
        before = self.new.attempts[attempt.run, attempt.task, attempt.number - 1]
        if before.state not in {"FAILURE", "LOST"}:
            yield f"{attempt.key} follows an attempt that is {before.state}"
        elif before.state == "FAILURE":
            step, failures = self._step(attempt.run, attempt.task), self._failures(before)
            if failures > step.retries:
                yield f"{attempt.key} is a retry after {failures} failures, {step.retries} are allowed"

    def _first_faults(self, attempt: Attempt, judgements: list[Judgement]) -> Iterator[str]:
        step = self._step(attempt.run, attempt.task)
        words = {judgement.word(attempt.task) for judgement in judgements}
        if step.disabled:
            yield f"{attempt.key} is disabled"
        elif (SKIP if attempt.state == "SKIPPED" else RUN) not in words:
            yield f"{attempt.key} is {attempt.state}, and by its upstreams it {' or '.join(sorted(words))}"
        elif step.kind == "conditions" and attempt.taken not in {
            None,
            *(one.chosen(step) for one in judgements),
        }:
            yield f"{attempt.key} took {attempt.taken}"

    def _element_faults(self, run: Run, attempt: Attempt) -> Iterator[str]:
        group = self.new.current[run.id].get(attempt.group or "")
        step = self._step(run.id, attempt.task)
        if group is None or int(attempt.task.partition("[")[2][:-1]) >= (step.elements or 0):
            yield f"{attempt.key} is no element of a map that is going on"
        live = [
            one for one in self.new.current[run.id].values() if one.group == attempt.group and one.is_live
        ]
        if step.most is not None and len(live) > step.most:
            yield f"{attempt.key}: {len(live)} elements at a time, {step.most} are allowed"

    # --- attempts ----------------------------------------------------------------------------

    def _attempt_faults(self, attempt: Attempt) -> Iterator[str]:
        run, task, number = attempt.key
        old = self.old.attempts.get(attempt.key)
        later = self.new.attempts.get((run, task, number + 1))
        if number > 1 and (run, task, number - 1) not in self.new.attempts:
            yield f"{attempt.key}: there is no attempt before it"
        if later is not None and (attempt.current or attempt.is_live):
            yield f"{attempt.key} is {attempt.state}, current: {attempt.current}, and there is a later one"
        if old is not None and old.state != attempt.state:
            if attempt.state not in ATTEMPT_MOVES[old.state]:
                yield f"{attempt.key}: {old.state} became {attempt.state}"
            if attempt.state == "FORCED_SUCCESS" and not self._asked.get(run, Counter())["force"]:
                yield f"{attempt.key} is FORCED_SUCCESS, and nobody asked for it"
        if old is None or old.state != attempt.state:
            yield from self._state_faults(attempt)

    def _state_faults(self, attempt: Attempt) -> Iterator[str]:
        """Yield what is wrong with a state that an attempt has just reached."""
        step = self._step(attempt.run, attempt.task)
        is_group = step.elements is not None and attempt.group is None
        waits_s = step.delay_s if step.kind in WORKER and not is_group else 0.0
        if attempt.state in BEGUN and self.new.at_s < self._born_s[attempt.key] + waits_s:
            first = self._began.get((attempt.run, attempt.task)) == attempt.number
            if first:
                yield f"{attempt.key} is {attempt.state} before its delay is over"
        if attempt.state == "FAILURE" and attempt.current and step.kind in WORKER and step.elements is None:
            yield from self._give_up_faults(attempt, step)
        if attempt.state != "SUCCESS":
            return
        if is_group:
            yield from self._group_faults(attempt, step)
        elif step.kind in WORKER and not self._said.get(attempt.key):
            yield f"{attempt.key} is SUCCESS, and its worker did not say so"
        elif step.kind == "sub_workflow" and "SUCCESS" not in self._ends.get(attempt.child or 0, ()):
            yield f"{attempt.key} is SUCCESS, and its child {attempt.child} has never been"
        elif step.kind == "switch" and (
            step.pick >= len(step.cases) or attempt.taken != step.cases[step.pick]
        ):
            yield f"{attempt.key} took {attempt.taken}"

    def _group_faults(self, attempt: Attempt, step: Step) -> Iterator[str]:
        current = self.new.current[attempt.run]
        elements = [one.state for one in current.values() if one.group == attempt.task]
        if sorted(elements) != ["SUCCESS"] * (step.elements or 0):
            yield f"{attempt.key} is SUCCESS, its elements are {elements}"

    def _pool(self, attempt: Attempt) -> str | None:
        """Return the pool whose slot an attempt needs; a map's elements need one, its group does not."""
        step = self._step(attempt.run, attempt.task)
        return None if step.elements is not None and attempt.group is None else step.pool

    def _step(self, run: int, task: str) -> Step:
        return self.plan(run).steps[task.partition("[")[0]]
