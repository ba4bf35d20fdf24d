"""The three public survival data sets as the reference numbers take them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

HERE = Path(__file__).parent
DAYS_PER_YEAR = 365.25
SURVIVAL = ("veteran", "lung", "myeloma")


@dataclass(frozen=True, eq=False)
class Patients:
    """Follow-up in days and the centred covariates of the reference fits."""

    table: pd.DataFrame
    time: NDArray[np.float64]
    event: NDArray[np.bool_]
    entry: NDArray[np.float64] | None
    design: pd.DataFrame

    def from_the_start(self) -> "Patients":
        """Everyone at risk from 0, as the entries that ignore delayed entry have it."""
        return replace(self, entry=None)

    def rows(self, chosen: pd.Series) -> "Patients":
        keep = chosen.to_numpy()
        entry = None if self.entry is None else self.entry[keep]
        return Patients(self.table[keep], self.time[keep], self.event[keep], entry, self.design[keep])


def _patients(name: str, *, time: str, event: str, entry: str | None = None) -> Patients:
    table = pd.read_csv(HERE / f"{name}.csv")
    raw = {
        "veteran": lambda t: {
            "karno10": t["karno"] / 10,
            "age10": t["age"] / 10,
            "trt2": (t["trt"] == 2).astype(float),
            "prior": (t["prior"] > 0).astype(float),
        },
        "lung": lambda t: {
            "age10": t["age"] / 10,
            "sex2": (t["sex"] == 2).astype(float),
            "ph_ecog": t["ph.ecog"].astype(float),
        },
        "myeloma": lambda t: {"year10": t["year"] / 10},
    }[name](table)
    design = pd.DataFrame(raw)
    return Patients(
        table,
        table[time].to_numpy(float),
        table[event].to_numpy() == 1,
        None if entry is None else table[entry].to_numpy(float),
        design - design.mean(),
    )


DATA = {
    "veteran": _patients("veteran", time="time", event="status"),
    "lung": _patients("lung", time="time", event="status"),
    "myeloma": _patients("myeloma", time="futime", event="death", entry="entry"),
}


@cache
def reference_survival() -> dict[str, dict[str, Any]]:
    """The entries of the reference file that rest on these data."""
    content: dict[str, dict[str, Any]] = json.loads((HERE / "frequentist.json").read_text(encoding="utf-8"))
    return {name: content[name] for name in SURVIVAL}


def _as_named(data: str, name: str) -> Patients:
    return DATA[data] if name.endswith("_delayed_entry") else DATA[data].from_the_start()


def entries(prefix: str) -> list[Any]:
    """Test parameters: the patients and the entry, for each entry whose name begins so."""
    return [
        pytest.param(_as_named(data, name), entry, id=f"{data}-{name}")
        for data, by_name in reference_survival().items()
        for name, entry in by_name.items()
        if name.startswith(prefix)
    ]


def assert_close(got: pd.Series, want: Mapping[str, float], *, atol: float = 0.0, rtol: float = 0.0) -> None:
    assert list(got.index) == list(want)
    np.testing.assert_allclose(got, list(want.values()), atol=atol, rtol=rtol)
