"""Owns the request of an http task: references encoded as each place needs it, secrets put in, all checked."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from orchestrator.core import parameters, secrets
from orchestrator.core.order import Order
from orchestrator.errors import UnresolvedParameter
from orchestrator.worker.executors.port import TaskFailure
from orchestrator.worker.vault import Vault

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
SHOWN = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    """The values of the order's references; `encode` says how they are written inside a longer text."""

    values: Mapping[str, Any]

    def value(self, path: str) -> Any:
        """Return what `path` names, as it is."""
        return self.values[path]


@dataclass(frozen=True, slots=True, kw_only=True)
class _UrlValues(_Values):
    """Values as parts of a url: whatever they hold, they stay one part."""

    def value(self, path: str) -> str:
        """Return the text of what `path` names, percent-encoded."""
        return quote(parameters.as_text(self.values[path]), safe="")


@dataclass(frozen=True, slots=True, kw_only=True)
class _JsonValues(_Values):
    """Values as parts of a JSON text."""

    def value(self, path: str) -> str:
        """Return what `path` names as JSON."""
        return json.dumps(self.values[path], ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A request, and its url as people may see it: secrets by name, nothing of the query."""

    request: httpx.Request
    shown_url: str


def build_request(order: Order, vault: Vault) -> Prepared:
    """Return the request that an order describes.

    Raises:
        TaskFailure: It cannot be made: the url is none, a header holds what none can.
        SecretUnavailable: This worker does not have a secret that it needs.
    """
    spec, values = order.spec, _Values(values=order.parameters)
    try:
        headers = _headers(spec, values, vault)
        content = _content(spec, headers, order.parameters, vault)
        written = _written_url(str(spec.get("url", "")), order.parameters)
        shown = vault.masked(secrets.unmark(written.partition("?")[0], order.ticket))[:SHOWN]
        url = _url(vault.resolve(written), shown)
        if spec.get("query"):
            url = url.copy_merge_params(_query(vault.resolve(parameters.resolve(spec["query"], values))))
        request = httpx.Request(str(spec.get("method", "GET")), url, headers=headers, content=content)
    except (ValueError, TypeError, UnresolvedParameter, httpx.InvalidURL) as error:
        raise TaskFailure(f"the request cannot be made: {error}", error="InvalidRequest") from None
    return Prepared(request=request, shown_url=shown)


def _written_url(written: str, values: Mapping[str, Any]) -> str:
    """Return the url; a reference at its very beginning is a base url and is taken as it is."""
    head, rest = _head(written, values)
    return head + parameters.as_text(parameters.resolve(rest, _UrlValues(values=values)))


def _url(text: str, shown: str) -> httpx.URL:
    url = httpx.URL(text)
    if url.scheme not in ("http", "https") or not url.host:
        raise TaskFailure(f"url '{shown}' is no http:// or https:// address", error="InvalidRequest")
    return url


def _head(written: str, values: Mapping[str, Any]) -> tuple[str, str]:
    if not written.startswith("${"):
        return "", written
    reference, _, rest = written.partition("}")
    return parameters.as_text(parameters.resolve(reference + "}", _Values(values=values))), rest


def _headers(spec: Mapping[str, Any], values: _Values, vault: Vault) -> httpx.Headers:
    written = vault.resolve(parameters.resolve(spec.get("headers") or {}, values))
    headers = httpx.Headers(
        [(str(name).encode(), parameters.as_text(value).encode()) for name, value in written.items()]
    )
    for name, value in headers.raw:
        if b"\n" in value or b"\r" in value or b"\0" in value or not name:
            raise TaskFailure(
                f"the header '{name.decode()}' holds a line break or a NUL character", error="InvalidRequest"
            )
    auth = vault.resolve(parameters.resolve(spec.get("auth") or {}, values))
    if auth:
        headers["Authorization"] = _authorization(auth, vault)
    headers.setdefault("User-Agent", "orchestrator")
    headers.setdefault("Accept", "*/*")
    return headers


def _authorization(auth: Mapping[str, Any], vault: Vault) -> str:
    if auth.get("bearer"):
        return f"Bearer {parameters.as_text(auth['bearer']).strip()}"
    basic = auth.get("basic") or {}
    pair = f"{parameters.as_text(basic.get('user'))}:{parameters.as_text(basic.get('password'))}"
    encoded = base64.b64encode(pair.encode()).decode()
    if vault.holds(pair):
        vault.hide(encoded)
    return f"Basic {encoded}"


def _content(
    spec: Mapping[str, Any], headers: httpx.Headers, values: Mapping[str, Any], vault: Vault
) -> bytes | None:
    """Return the body, and set its content type where the task does not."""
    plain = _Values(values=values)
    if spec.get("json") is not None:
        headers.setdefault("Content-Type", JSON)
        return json.dumps(vault.resolve(parameters.resolve(spec["json"], plain)), ensure_ascii=False).encode()
    if spec.get("form") is not None:
        headers.setdefault("Content-Type", FORM)
        return str(_query(vault.resolve(parameters.resolve(spec["form"], plain)))).encode()
    if spec.get("body") is not None:
        return _raw(str(spec["body"]), headers.get("Content-Type", ""), values, vault)
    return None


def _raw(written: str, content_type: str, values: Mapping[str, Any], vault: Vault) -> bytes:
    """Return a body that is written as text; what its references become, the content type decides."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == JSON or kind.endswith("+json"):
        encoded: _Values = _JsonValues(values=values)
    elif kind == FORM:
        encoded = _UrlValues(values=values)
    else:
        encoded = _Values(values=values)
    return parameters.as_text(vault.resolve(parameters.resolve(written, encoded))).encode()


def _query(values: Mapping[str, Any]) -> httpx.QueryParams:
    """Return names and texts: a list gives its name several times, null gives nothing, a map is JSON."""
    pairs: list[tuple[str, str | int | float | bool | None]] = []
    for name, value in values.items():
        several = value if isinstance(value, list) else [value]
        pairs.extend((str(name), parameters.as_text(one)) for one in several if one is not None)
    return httpx.QueryParams(pairs)
