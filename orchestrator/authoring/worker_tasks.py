"""Owns the language of the task types that workers execute."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from orchestrator.authoring.fields import (
    Call,
    Name,
    Strict,
    Text,
    one_of,
)
from orchestrator.authoring.task_fields import OnWorker, WithFiles


class ShellTask(WithFiles):
    """A script in its own process group."""

    type: Literal["shell"]
    spec_fields = ("run", "shell", "cwd")
    run: Text = Field(description="The script.")
    shell: Text | None = Field(None, description="The program that runs it; default /bin/bash -e.")
    cwd: Text | None = Field(None, description="Directory, relative to the definition's file.")


class PythonTask(WithFiles):
    """A callable in the worker's child, or an inline script in a subprocess."""

    type: Literal["python"]
    spec_fields = ("call", "script", "cwd")
    call: Call | None = Field(None, description="package.module:function; params are its arguments.")
    script: Text | None = None
    cwd: Text | None = Field(None, description="For a script: directory, relative to the definition's file.")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong between fields as written."""
        yield from super().contradictions(given)
        yield from one_of(given, "call", "script")
        if given.get("call") is not None and given.get("cwd") is not None:
            yield "cwd belongs to script; a callable runs inside the worker"


class NoopTask(WithFiles):
    """Nothing; a point where edges meet."""

    type: Literal["noop"]


class AddedTask(WithFiles):
    """A task of a type that an installed package adds; its own inputs are `params`."""

    type: Name


class CeleryTask(OnWorker):
    """A task that an existing Celery app has registered."""

    type: Literal["celery"]
    spec_fields = ("call", "args", "kwargs", "queue")
    call: Text = Field(description="Name of the registered task.")
    args: list[Any] = Field(default_factory=list)
    kwargs: dict[str, Any] = Field(default_factory=dict)
    queue: Name | None = Field(None, description="Celery queue; the same as worker_group.")

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong between fields as written."""
        yield from super().contradictions(given)
        yield from one_of(given, "queue", "worker_group", needed=False)


class SqlTask(WithFiles):
    """SQL statements in one transaction; `${x}` becomes a bound parameter."""

    type: Literal["sql"]
    spec_fields = ("connection", "sql", "fetch")
    connection: Name = Field(description="The setting ORCHESTRATOR_CONNECTION_<NAME> of the worker.")
    sql: Text = Field(description="One statement, or several with ; between them.")
    fetch: Literal["none", "first", "all"] = Field(
        "first", description="Outputs: the first row's columns, all rows as `rows`, or neither."
    )


class Basic(Strict):
    """Basic authentication."""

    user: str
    password: str = Field("", description="secret://name keeps it out of the definition.")


class Auth(Strict):
    """How a request shows who sends it."""

    basic: Basic | None = None
    bearer: Text | None = Field(None, description="The token; secret://name keeps it out of the definition.")


class HttpTask(WithFiles):
    """An HTTP request."""

    type: Literal["http"]
    spec_fields = (
        "url",
        "method",
        "headers",
        "query",
        "auth",
        "json",
        "form",
        "body",
        "expect_status",
        "expect_body",
        "redirects",
        "verify",
    )
    url: Text
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    headers: dict[str, str] = Field(default_factory=dict)
    query: dict[str, Any] = Field(default_factory=dict)
    auth: Auth | None = Field(None, description="basic: {user, password}, or bearer: TOKEN.")
    json_body: Any = Field(None, alias="json")
    form: dict[str, Any] | None = None
    body: str | None = None
    expect_status: list[Annotated[int, Field(ge=100, le=599)]] = Field(default_factory=lambda: [200])
    expect_body: str | None = Field(None, description="Text that must stand in the body.")
    redirects: bool = Field(default=True, description="Whether redirects are followed.")
    verify: bool | Text = Field(
        default=True, description="Whether the certificate is checked; a path: against this bundle."
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong between fields as written."""
        yield from super().contradictions(given)
        yield from one_of(given, "json", "form", "body", needed=False)
        auth, headers = given.get("auth"), given.get("headers")
        if isinstance(auth, Mapping):
            yield from (f"auth: {message}" for message in one_of(auth, "basic", "bearer"))
            if isinstance(headers, Mapping) and "authorization" in {str(name).lower() for name in headers}:
                yield "give auth or the header Authorization, not both"
