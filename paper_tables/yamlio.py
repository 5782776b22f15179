"""Reading YAML safely: no tags that build objects, no key given twice, one-line errors."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from paper_tables.errors import PlanError


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice (plain YAML keeps the last one silently)."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._checked: set[yaml.MappingNode] = set()

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        return super().construct_mapping(node, deep)

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Check the literal keys, once: `<<` merges the inherited ones in, also of a node that others inherit from."""
        seen: set[str] = set()
        for key, _ in () if node in self._checked else node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    mark = key.start_mark
                    raise PlanError(f"{mark.name}:{mark.line + 1}: key '{key.value}' given twice")
                seen.add(key.value)
        self._checked.add(node)
        super().flatten_mapping(node)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in `path`; raise `PlanError` if it is missing, malformed or no mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise PlanError(f"{path}: cannot be read ({error.strerror})") from None
    loader = _Loader(text)
    loader.name = str(path)
    try:
        content = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise PlanError(f"{path}:{line}: not valid YAML ({error.problem})") from None
    finally:
        loader.dispose()
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise PlanError(f"{path}: must be a mapping with names as keys")
    return content
