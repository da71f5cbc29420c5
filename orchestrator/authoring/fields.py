"""Owns the kinds of fields that several models share: names, durations, zones, declared types, cron."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from orchestrator.authoring import cron, durations, names
from orchestrator.core import parameters


class Strict(BaseModel):
    """A part of the language: it knows all its fields and takes each in its own type only."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[str]:  # noqa: ARG003 - for those that have rules
        """Yield what is wrong between fields as written, whether or not each is right by itself."""
        yield from ()


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise ValueError(f"'{name}' is no IANA time zone; write Europe/Paris, UTC, …") from None
    return name


def _cron(expression: str) -> str:
    cron.check(expression)
    return expression


def _moment(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("not a time; write 2026-11-01 or 2026-11-01T02:00:00+01:00") from None
    return text


def _parameter_name(name: str) -> str:
    if not parameters.is_shell_name(name):
        raise ValueError(
            f"'{name}' cannot name a parameter: letters, digits and '_' only, no digit in front, "
            "and not PATH, LD_*, BASH_ENV, IFS, PYTHON*, ORCHESTRATOR_*"
        )
    return name


def _callable(path: str) -> str:
    module, _, function = path.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *function.split("."))):
        raise ValueError(f"'{path}' is no callable; write package.module:function")
    return path


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def one_of(given: Mapping[str, Any], *fields: str, needed: bool = True) -> Iterator[str]:
    """Yield a message unless exactly one of `fields` is given (at most one if none is needed)."""
    count = sum(given.get(name) is not None for name in fields)
    if count > 1 or (needed and count == 0):
        yield f"give {'exactly' if needed else 'at most'} one of {', '.join(fields)}"


def _texts(value: Any) -> Any:
    """Accept whole numbers beside text, as exit codes are written."""
    if isinstance(value, list):
        return [str(one) if isinstance(one, int) and not isinstance(one, bool) else one for one in value]
    return value


_DURATION_SCHEMA = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": r"^[0-9.]+[dhms]([0-9.]+[hms])*$"},
    ]
}

_LONG_SCHEMA = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^(?=.*[1-9])[0-9.]+[dhms]([0-9.]+[hms])*$"},
    ]
}

Duration = Annotated[float, BeforeValidator(durations.seconds), WithJsonSchema(_DURATION_SCHEMA)]
LongDuration = Annotated[float, BeforeValidator(durations.seconds_above_zero), WithJsonSchema(_LONG_SCHEMA)]
TaskName = Annotated[str, AfterValidator(names.task_name)]
Name = Annotated[str, AfterValidator(names.workflow_name)]
ParameterName = Annotated[str, AfterValidator(_parameter_name)]
Zone = Annotated[str, AfterValidator(_zone)]
Cron = Annotated[str, AfterValidator(_cron)]
Moment = Annotated[str, AfterValidator(_moment)]
Call = Annotated[str, AfterValidator(_callable)]
Text = Annotated[str, AfterValidator(_not_blank)]
Words = Annotated[list[str], BeforeValidator(_texts)]
Params = dict[ParameterName, Any]
TypeName = Literal["string", "integer", "float", "boolean", "date", "list", "map"]
PriorityName = Literal["highest", "high", "medium", "low", "lowest"]
TriggerName = Literal["all_success", "none_failed", "all_done", "one_success", "one_failed"]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Positive = Annotated[int, Field(ge=1, le=1_000_000)]
Factor = Annotated[float, Field(ge=1, le=1000, allow_inf_nan=False, strict=False)]
