"""Scripts under their watcher, without Celery: start, end, what they leave behind."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.embedded.living import group_lives
from orchestrator.worker.capture import ThreadStreams
from orchestrator.worker.executors.environment import base_environment
from orchestrator.worker.executors.port import Finished, TaskFailure, Workplace
from orchestrator.worker.executors.shell import ShellExecutor
from orchestrator.worker.interrupt import Interrupts
from orchestrator.worker.logs import AttemptLog
from orchestrator.worker.process_groups import group_exists
from tests.integration.worker.stage import wait_until
from tests.unit.worker.twins import make_order

pytestmark = pytest.mark.integration


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    """A workplace below a temporary directory."""
    log = AttemptLog(tmp_path / "log")
    yield Workplace(
        scratch=tmp_path / "scratch",
        source_dir=tmp_path,
        environment=base_environment(),
        log=log,
        capture=ThreadStreams().capture,
        interrupts=Interrupts(lambda _: False),
    )
    log.close()


def run(workplace: Workplace, script: str, **spec: Any) -> Finished:
    """Run a shell script."""
    return ShellExecutor().prepare(make_order(spec={"run": script, **spec}), workplace).run()


def test_the_end_of_a_short_script_is_never_missed(workplace: Workplace) -> None:
    """A script may end before its watcher waits for it (a signal between looking and waiting was lost once)."""
    assert all(run(workplace, "exit 0").exit_code == 0 for _ in range(60))


def test_background_programs_end_with_their_script(workplace: Workplace) -> None:
    """What a script leaves in its group is killed, and does not hold the attempt."""
    work = ShellExecutor().prepare(make_order(spec={"run": "sleep 600 & echo left"}), workplace)
    group = work.process_group

    assert work.run().exit_code == 0
    wait_until(lambda: not group_lives(group), 5)


def test_refused_work_leaves_nothing(workplace: Workplace) -> None:
    """The watcher that was started before the claim ends, and the scratch directory goes."""
    work = ShellExecutor().prepare(make_order(spec={"run": "echo never"}), workplace)
    work.discard()

    assert not group_exists(work.process_group)
    assert list(workplace.scratch.iterdir()) == []
    assert not workplace.log.path.exists()


def test_each_script_has_a_new_directory_unless_it_names_one(workplace: Workplace, tmp_path: Path) -> None:
    """`cwd` is relative to the definition's directory on this worker."""
    (tmp_path / "here").mkdir()
    run(workplace, "pwd")
    run(workplace, "pwd; ls", cwd="here")

    first, second = workplace.log.path.read_text().splitlines()
    assert Path(first).is_relative_to(workplace.scratch)
    assert second == str(tmp_path / "here")
    assert list(workplace.scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "spec", "reason"),
    [
        ("kill -SEGV $$", {}, "killed by SIGSEGV"),
        ("exit 3", {}, "exit code 3"),
        ("echo 'no sign' >> $ORCHESTRATOR_OUTPUT", {}, "line 1 of the output file"),
        ("true", {"cwd": "nowhere"}, "is no directory on this worker"),
        ("true", {"shell": "no-such-shell"}, "no program 'no-such-shell'"),
    ],
)
def test_failures_name_their_reason(
    workplace: Workplace, script: str, spec: dict[str, str], reason: str
) -> None:
    """Signals, exit codes, unreadable outputs, missing directories and shells."""
    with pytest.raises(TaskFailure, match="(?s)" + reason.replace("(", "\\(")):
        run(workplace, script, **spec)


def test_shell_is_chosen_by_the_task(workplace: Workplace) -> None:
    """`shell:` names another interpreter with its arguments."""
    script = "import os\nopen(os.environ['ORCHESTRATOR_OUTPUT'], 'w').write('n=1')"

    assert run(workplace, script, shell="python3 -S").outputs == {"n": 1}  # noqa: S604 - a field of the task
