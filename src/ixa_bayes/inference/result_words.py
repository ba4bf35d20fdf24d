"""What a result says of itself when it is printed: a line, where its tables would fill pages."""

from dataclasses import fields
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def told_by_tables(result: "DataclassInstance") -> str:
    """A result's name with the attributes that hold its tables, and how many rows each has."""
    values = {field.name: getattr(result, field.name) for field in fields(result)}
    tables = [f".{name} ({len(value)} rows)" for name, value in values.items() if isinstance(value, pd.DataFrame)]
    others = [f".{name} ({len(value)})" for name, value in values.items() if isinstance(value, dict)]
    return f"<{type(result).__name__} with {', '.join([*tables, *others])}>"
