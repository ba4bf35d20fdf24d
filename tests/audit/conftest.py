import json
from collections.abc import Callable
from typing import Any

import pytest


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value)


TomlText = Callable[[dict[str, Any]], str]


@pytest.fixture
def toml_text() -> TomlText:
    """A nested dictionary as TOML, one inline value per top-level key."""
    return lambda content: "\n".join(f"{key} = {_toml(value)}" for key, value in content.items()) + "\n"
