"""Owns writing a workflow as YAML that people like to read, and that our language reads as the same value."""

from typing import Any

import yaml

from orchestrator.authoring.document import plain, read_documents, read_scalar
from orchestrator.errors import DefinitionError

_WIDTH = 110
_SHORT_LIST = 8
_LONG_TEXT = 90


class _Dumper(yaml.SafeDumper):
    """Writes long texts as a block, short lists in one line, and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out where it stands."""
        del data
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - PyYAML's signature
        """Indent lists below their key."""
        super().increase_indent(flow, indentless=False)


def render(document: Any, source: str) -> str:
    """Return the YAML text of a document.

    Args:
        document: `workflow` and `tasks`, of plain values.
        source: The file that it came from, for the comment at the top.

    Raises:
        ValueError: No YAML text means this value: it holds characters that no file can hold.
    """
    try:
        body = "\n".join(
            yaml.dump({key: value}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
            for key, value in document.items()
        )
        read = read_documents(body)
        body.encode()
    except (DefinitionError, UnicodeError, yaml.YAMLError) as error:
        raise ValueError(f"cannot be written as YAML: {str(error).splitlines()[0]}") from None
    if [plain(one) for one in read] != [document]:
        raise ValueError("cannot be written as YAML: a text holds control characters")
    comment = "".join(char if char.isprintable() else "?" for char in source)
    return f"# Imported from {comment} by: orchestrator import dolphinscheduler\n{body}"


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value or len(value) > _LONG_TEXT else None
    if style is None and value and read_scalar(value) != value:
        style = "'"  # what YAML 1.1 takes for text may be a number in YAML 1.2
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.SequenceNode:
    is_short = len(value) <= _SHORT_LIST and not any(isinstance(one, dict | list) for one in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=is_short)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)
