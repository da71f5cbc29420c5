"""Owns what stands for a value that is known only when the workflow runs: results of tasks, parameters."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

_KEY = re.compile(r"[\w-]+")
_TASK_IN_TEXT = re.compile(r"(?<!\$)\$\{([\w-]+)\.")


class Handle:
    """Stands for a value; as text it is the reference that will be replaced by the value."""

    path: str

    def __str__(self) -> str:
        """Return the reference, `${…}`."""
        return f"${{{self.path}}}"

    def __format__(self, spec: str) -> str:
        if spec:
            self._refuse("formatted")
        return str(self)

    def __iter__(self) -> NoReturn:
        self._refuse("iterated; pass it to .map(…)")

    def __len__(self) -> NoReturn:  # noqa: PLE0303 - there is no length to return
        self._refuse("measured")

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - there is no truth to return
        self._refuse("tested")

    def _refuse(self, what: str) -> NoReturn:
        raise TypeError(
            f"the value of {self} is not known while the workflow is drawn, so it cannot be {what}"
        )


class ParameterHandle(Handle):
    """Stands for a parameter of the workflow."""

    def __init__(self, name: str) -> None:
        self.path = name

    def __getitem__(self, key: str | int) -> "ParameterHandle":
        """Return what stands for a member of the value."""
        return ParameterHandle(f"{self.path}.{_checked(key)}")


class Result(Handle):
    """Stands for what a task gives: all of it, or with `[name]` one of its outputs.

    Args:
        task: The task's name.
        members: Names of outputs and members, from the outside in.
    """

    def __init__(self, task: str, members: tuple[str, ...] = ()) -> None:
        self.task = task
        self.members = members

    @property
    def path(self) -> str:  # type: ignore[override] # computed here, stored in the sibling
        """The reference without its braces; `.*` means everything that the task gave."""
        return ".".join((self.task, *(self.members or ("*",))))

    def __getitem__(self, key: str | int) -> "Result":
        """Return what stands for one output, or for a member of one; a number means an item of `result`."""
        first = ("result",) if isinstance(key, int) and not self.members else ()
        return Result(self.task, (*self.members, *first, _checked(key)))


def written(value: Any) -> Any:
    """Return `value` as the YAML language writes it: handles as references, at any depth."""
    match value:
        case Handle():
            return str(value)
        case Mapping():
            return {key: written(one) for key, one in value.items()}
        case list() | tuple():
            return [written(one) for one in value]
        case _:
            return value


def data_edges(value: Any, needs: object) -> list[str]:
    """Return the tasks that must come before: those in `needs` and those whose results `value` holds."""
    if not isinstance(needs, list | tuple) or not all(isinstance(one, Result) for one in needs):
        raise TypeError("needs takes a list of results: needs=[extracted, loaded]")
    return list(dict.fromkeys([one.task for one in needs] + list(_tasks(value))))


def _tasks(value: Any) -> Iterator[str]:
    match value:
        case Result():
            yield value.task
        case str():  # an f-string with a result in it is text already
            yield from _TASK_IN_TEXT.findall(value)
        case Mapping():
            for one in value.values():
                yield from _tasks(one)
        case list() | tuple():
            for one in value:
                yield from _tasks(one)


def _checked(key: str | int) -> str:
    name = str(key)
    if not _KEY.fullmatch(name):
        raise TypeError(f"[{key!r}] cannot stand in a reference: letters, digits, '_' and '-' only")
    return name
