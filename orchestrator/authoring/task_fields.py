"""Owns the fields that tasks of several types share; what does not stand on a model does not fit its type."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from orchestrator.authoring.fields import (
    Count,
    Duration,
    Factor,
    LongDuration,
    Name,
    ParameterName,
    Params,
    Positive,
    PriorityName,
    Strict,
    TaskName,
    Text,
    TriggerName,
    TypeName,
    Words,
)


class AnyTask(Strict):
    """What every task has."""

    spec_fields: ClassVar[tuple[str, ...]] = ()

    name: TaskName = Field(description="Unique name in the workflow.")
    description: str = ""
    needs: list[TaskName] = Field(default_factory=list, description="Upstream tasks.")
    disabled: bool = Field(default=False, description="A wire: its downstreams depend on its upstreams.")
    params: Params = Field(
        default_factory=dict, description="Parameters; values may hold ${name} and $[yyyy-MM-dd]."
    )
    priority: PriorityName = "medium"


class Triggered(AnyTask):
    """What a task has whose start depends on how its upstreams ended."""

    trigger: TriggerName = Field("all_success", description="When it runs, given how its upstreams ended.")


class Attempted(Triggered):
    """What a task has that may be tried again and may take time."""

    outputs: dict[ParameterName, TypeName] = Field(
        default_factory=dict, description="Declared outputs, checked."
    )
    retries: Count = 0
    retry_delay: Duration = 0.0
    retry_backoff: Factor = 1.0
    max_retry_delay: Duration | None = None
    non_retryable: Words = Field(
        default_factory=list, description="Exit codes and exception names that are not tried again."
    )
    timeout: LongDuration | None = Field(None, description="From the first RUNNING of each attempt.")
    on_timeout: Literal["fail", "warn"] = "fail"
    delay: Duration = Field(0.0, description="Wait before the first attempt; holds no worker.")
    map: Any = Field(None, description="One task instance per element of this list.")
    map_as: ParameterName = "item"
    max_parallel: Positive | None = None

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong between fields as written."""
        for name in ("map_as", "max_parallel"):
            if name in given and given.get("map") is None:
                yield f"{name} belongs to map, which is not there"


class Check(Strict):
    """An expression over a task's outputs: false is FAILURE, or only an alert."""

    expression: Text
    on_false: Literal["fail", "alert"] = "fail"


def _as_check(value: Any) -> Any:
    return {"expression": value} if isinstance(value, str) else value


class OnWorker(Attempted):
    """What a task has that a worker executes."""

    queue_timeout: LongDuration | None = Field(None, description="Most time until a worker starts it.")
    on_queue_timeout: Literal["fail", "warn"] = "fail"
    worker_group: Name | None = Field(None, description="Celery queue; default: the workflow's.")
    environment: Name | None = None
    pool: Name | None = None
    cache: bool = False
    check: Annotated[Check | None, BeforeValidator(_as_check)] = Field(
        None, description="Expression over the outputs."
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong between fields as written."""
        yield from super().contradictions(given)
        if "on_queue_timeout" in given and given.get("queue_timeout") is None:
            yield "on_queue_timeout belongs to queue_timeout, which is not there"


class WithFiles(OnWorker):
    """What a task has that our own worker runs, in a directory of files if it wants one."""

    bundle: Name | None = Field(
        None,
        description="Directory, NAME.zip or NAME.tar.gz in the worker's ORCHESTRATOR_BUNDLES; it runs there.",
    )
