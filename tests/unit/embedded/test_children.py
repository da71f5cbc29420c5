"""What a set-up starts and leaves to others, and how its children hear that it is gone."""

import os
from pathlib import Path

import pytest

from orchestrator.embedded.children import reason_in
from orchestrator.embedded.crew import CrewOrder, Nobody, SetUpCrew
from orchestrator.embedded.home import Home
from orchestrator.embedded.leash import watch


def test_leash_pulls_when_its_other_end_is_gone() -> None:
    """The death of the supervisor closes the pipe, whatever the way of its death."""
    pulled: list[str] = []
    reading, writing = os.pipe()
    thread = watch(reading, lambda: pulled.append("end"))

    os.close(writing)
    thread.join(5.0)

    assert pulled == ["end"]
    os.close(reading)


def test_crew_serves_each_group_once(tmp_path: Path) -> None:
    """A guest's groups get a worker unless somebody serves them; the files' directory is importable there."""
    crew = SetUpCrew(
        Home(path=tmp_path), CrewOrder(workers=2), Nobody(), database_url="sqlite:///x", redis_url="redis://y"
    )

    first = crew.wanted({"groups": ["default"], "source_dir": str(tmp_path)})
    more = crew.wanted({"groups": ["default", "gpu"], "source_dir": None})

    assert [[spec.name for spec in crew.first()] for _ in range(2)] == [["master"], []]
    assert [spec.name for spec in first] == ["w1", "w2"]
    assert "ORCHESTRATOR_SOURCE_DIR" not in first[0].environment  # each definition says where its files are
    assert first[0].environment["PYTHONPATH"].split(os.pathsep)[0] == str(tmp_path)
    assert [spec.name for spec in more] == ["w3"]
    assert "gpu" in more[0].module


def test_crew_leaves_to_others_what_they_do_as_long_as_they_do_it(tmp_path: Path) -> None:
    """Where others' masters and workers live nothing is started; when they have gone, it is."""

    class OthersThatLeave(Nobody):
        present = True

        def has_master(self) -> bool:
            return self.present

        def groups(self) -> frozenset[str]:
            return frozenset({"default"} if self.present else ())

    others = OthersThatLeave()
    crew = SetUpCrew(
        Home(path=tmp_path), CrewOrder(), others, database_url="sqlite:///x", redis_url="redis://y"
    )
    assert (crew.first(), crew.wanted({"groups": ["default"]})) == ([], [])

    others.present = False

    assert [spec.name for spec in (*crew.first(), *crew.wanted({"groups": ["default"]}))] == ["master", "w1"]


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        ("error: no such thing\n(more at https://example.org)\n", "no such thing"),
        ("Error: \n\nUnable to load\n", "Unable to load"),
        ("one\ntwo\n\n", "two"),
        ("", ""),
    ],
)
def test_last_words_are_the_error_line_of_this_start(tmp_path: Path, printed: str, told: str) -> None:
    """What an earlier start has said does not count; without an `error:` line the last one must do."""
    log = tmp_path / "child.log"
    log.write_text("error: of an earlier start\n")
    begins = log.stat().st_size
    with log.open("a") as more:
        more.write(printed)

    assert reason_in(log, begins) == told
