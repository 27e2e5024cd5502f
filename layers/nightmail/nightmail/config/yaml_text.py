"""YAML as plain values, strictly: what YAML would quietly swallow is refused, and named by its path."""

from __future__ import annotations

from typing import Any

import yaml

from nightmail.errors import InvalidConfig

MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 32
_MAX_VALUES = 100_000
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_WORDS = frozenset({"tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"})


class _Loader(yaml.CSafeLoader):
    """Without dates: an unquoted `api_version: 2024-10-21` is a string."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own class attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


def read_yaml(text: str | bytes) -> dict[str, Any]:
    """The mapping that `text` holds; an empty text is an empty mapping.

    Raises InvalidConfig; its message holds paths and lines, never values.
    """
    if len(text) > MAX_BYTES:
        raise InvalidConfig(f"The config is larger than {MAX_BYTES} bytes.")
    try:
        value = _construct(text.decode("utf-8-sig") if isinstance(text, bytes) else text)
    except yaml.MarkedYAMLError as error:
        # The cause is cut off here and below because its text may quote a key.
        line = f"line {error.problem_mark.line + 1}" if error.problem_mark else "the config"
        raise InvalidConfig(f"{line}: this is not valid YAML ({error.problem}).") from None
    except UnicodeError:
        raise InvalidConfig("The config is not valid UTF-8.") from None
    # PyYAML's constructors let these through for scalars such as `!!int x`.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError):
        raise InvalidConfig("The config is not valid YAML.") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidConfig("The config has to be a mapping, such as `model_list: [...]`.")
    return value


def _construct(text: str) -> Any:
    _check_depth(text)
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _Check().weigh(root, "")
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _check_depth(text: str) -> None:
    """Before anything recursive runs: libyaml's composer crashes the process on deep nesting."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            raise InvalidConfig(f"{_line(event)}: the config is nested deeper than {_MAX_DEPTH}.")


def _line(place: yaml.Node | yaml.Event) -> str:
    mark = place.start_mark
    return f"line {mark.line + 1}" if mark else "an unknown line"


class _Check:
    """Walks the nodes before any value is built of them; an alias is walked once, but weighs each time."""

    def __init__(self) -> None:
        self._weights: dict[yaml.Node, int] = {}
        self._open: set[yaml.Node] = set()

    def weigh(self, node: yaml.Node, path: str) -> int:
        """How many values `node` comes to once its aliases are written out."""
        if node in self._open:
            raise InvalidConfig(f"{path}: this alias contains itself.")
        if node not in self._weights:
            self._open.add(node)
            self._weights[node] = 1 + self._contents(node, path)
            self._open.remove(node)
        if self._weights[node] > _MAX_VALUES:
            raise InvalidConfig(
                f"{path}: with its aliases written out this is more than {_MAX_VALUES} values."
            )
        return self._weights[node]

    def _contents(self, node: yaml.Node, path: str) -> int:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return sum(self.weigh(item, f"{path}[{n}]") for n, item in enumerate(node.value))
        return 0

    def _mapping(self, node: yaml.MappingNode, path: str) -> int:
        seen = set()
        weight = 0
        for key, value in node.value:
            if key.tag not in _WORDS:
                raise InvalidConfig(
                    f"{path or 'the config'}: the key in {_line(key)} is no string."
                )
            inner = f"{path}.{key.value}" if path else key.value
            if key.value in seen:
                raise InvalidConfig(f"{inner}: this key is given twice.")
            seen.add(key.value)
            weight += 1 + self.weigh(value, inner)
        return weight
