"""Whatever a run went through, recover and rerun end as the semantics say."""

from collections import Counter
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.core.command import CommandKind
from orchestrator.core.dag import compile_graph, with_descendants
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.status import WorkflowState
from tests.unit.core.disorder import Disorder
from tests.unit.core.reference import expect
from tests.unit.core.strategies import definitions, scripts_for

RECOVER, RERUN = CommandKind.RECOVER, CommandKind.RERUN

modest = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@modest
@given(definition=definitions(most=20), seed=st.integers(0, 2**32), data=st.data())
def test_any_run_that_is_recovered_or_rerun_ends_as_the_semantics_say(
    definition: WorkflowDefinition, seed: int, data: st.DataObject
) -> None:
    """Twice in a row, with late and repeated reports of everything before: states and numbers of attempts."""
    random = Random(seed)  # noqa: S311  repeatable on purpose
    scripts = scripts_for(definition, random)
    disorder = Disorder(definition, scripts, random)
    play = disorder.run()
    graph = compile_graph(definition)
    for _ in range(2):
        kinds = [RERUN] if play.state is WorkflowState.SUCCESS else [RECOVER, RERUN]
        kind = data.draw(st.sampled_from(kinds))
        start = data.draw(st.sampled_from([None, *graph.order])) if kind is RERUN else None
        unsuccessful = [one for one in graph.order if play.states.get(one) in {None, "FAILURE", "KILLED"}]
        begin = [start] if start else graph.order if kind is RERUN else unsuccessful
        again = with_descendants(graph, begin)
        others = scripts_for(definition, random)
        scripts = {**scripts, **{task: others[task] for task in again if task in others}}
        before = Counter(task for task, _ in play.rows)

        disorder.run_again(
            kind, scripts, run_count=play.head.run_count, **({"from_": start} if start else {})
        )

        expected = expect(definition, scripts)
        assert (play.state.value, play.states) == (expected.run, expected.states)
        more = {task: number for task, number in expected.attempts.items() if task in again}
        assert Counter(task for task, _ in play.rows) == before + Counter(more)
