"""The commands that check and compare fits in their folders: what they write, what they refuse and how they end."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ixa_bayes.inference.survival import posterior_calibration
from ixa_bayes.report.fit.calibration import FOLDER, RANKS, TABLE

from .test_fit import MODEL, _table

pytestmark = pytest.mark.compiles


def _run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ixa_bayes", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("checks")
    (where / "small.toml").write_text(MODEL.format(draws=1000), encoding="utf-8")
    _table().to_csv(where / "patients.csv", index=False)
    (where / "narrow.toml").write_text(MODEL.format(draws=1000).replace("sd = 1.0,", "sd = 0.1,"), encoding="utf-8")
    for model, output in (("small.toml", "out"), ("narrow.toml", "narrow")):
        done = _run("fit", model, "--cohort", "patients.csv", "--output", output, cwd=where)
        assert done.returncode == 0, done.stderr
    return where


def test_a_fit_is_calibrated_in_its_own_folder_and_stays_as_it_is(folder: Path) -> None:
    calibrate = ["calibrate", "out", "--replicates", "20", "--seed", "3"]
    done = _run(*calibrate, cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "20 simulated cohorts, each fitted together with the cohort: 0.00% of draws diverged"
    assert lines[-1] == f"Table: out/{FOLDER}/{TABLE}"
    written = folder / "out" / FOLDER
    table, ranks = pd.read_csv(written / TABLE), pd.read_csv(written / RANKS, index_col="replicate")
    assert table["ok"].all()
    assert list(table["quantity"]) == list(ranks.columns)
    assert ranks.shape[0] == 20
    assert set(table["evidence_kind"]) == {"patients"}
    readme = (written / "README.md").read_text(encoding="utf-8")
    assert [column for column in table.columns if f"`{column}`" not in readme] == []
    assert "<svg" in (written / f"{FOLDER}.svg").read_text(encoding="utf-8")
    assert not [path for path in written.iterdir() if b"secret" in path.read_bytes()]
    again = _run(*calibrate, cwd=folder)
    assert "Nothing has changed" in again.stdout
    assert again.stdout.splitlines()[1:] == lines
    fit = ["fit", "small.toml", "--cohort", "patients.csv", "--output", "out"]
    assert "Nothing has changed" in _run(*fit, cwd=folder).stdout
    assert written.exists()


def test_what_cannot_be_calibrated_ends_with_2(folder: Path, tmp_path: Path) -> None:
    for arguments, told in (
        (["nowhere"], "no such file"),
        (["out", "--cohort", "nobody.csv"], "neither a path nor a built-in name"),
        (["out", "--output", "out"], "it would be deleted"),
        (["out", "--replicates", "3"], "Invalid value"),
    ):
        refused = _run("calibrate", *arguments, cwd=folder)
        assert refused.returncode == 2, arguments
        assert told in refused.stderr
        assert "Traceback" not in refused.stderr
    moved = tmp_path / "patients.csv"
    (folder / "patients.csv").rename(moved)
    try:
        refused = _run("calibrate", "out", cwd=folder)
        assert refused.returncode == 2
        assert "which is not there" in refused.stderr
        assert "--cohort" in refused.stderr
        assert "secret" not in refused.stderr
        arguments = ["out", "--cohort", str(moved), "--replicates", "20", "--seed", "3"]
        assert _run("calibrate", *arguments, cwd=folder).returncode == 0
    finally:
        moved.rename(folder / "patients.csv")


def test_rejected_posteriors_end_with_1(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranks as a sampler makes them that returns draws all on one side."""
    from typer.testing import CliRunner

    from ixa_bayes.cli import app

    def shifted(*_: object, replicates: int, **__: object) -> tuple[dict[str, pd.DataFrame], float]:
        return {"as_sampled": pd.DataFrame({"log_shape": [0] * replicates, "log_median": range(replicates)})}, 0.5

    monkeypatch.setattr(posterior_calibration, "posterior_ranks", shifted)
    done = CliRunner().invoke(app, ["calibrate", str(folder / "out"), "--output", str(folder / "rejected")])
    assert done.exit_code == 1, done.output
    assert "Rejected: log_shape: the ranks of its true values are not uniform" in done.output
    assert "Rejected: 50.00% of draws diverged, more than 0.1%" in done.output
    assert pd.read_csv(folder / "rejected" / TABLE).set_index("quantity")["ok"].to_dict() == {
        "log_shape": False,
        "log_median": True,
    }


def test_fits_are_compared_in_lines_and_in_a_file(folder: Path) -> None:
    done = _run("compare", "out", "narrow", "--output", "comparison.csv", cwd=folder)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(folder / "comparison.csv")
    assert set(table["fit"]) == {"out", "narrow"}
    heading, first, second, _, wrote = done.stdout.splitlines()
    assert heading.split()[0] == "fit"
    assert [line.split()[0] for line in (first, second)] == list(table["fit"])
    assert second.endswith(table["reading"].iloc[1])
    assert wrote == "Wrote comparison.csv"
    assert table["weight"].sum() == pytest.approx(1)
    for arguments, told in (
        (["out"], "two or more are compared"),
        (["out", "out/../out"], "one of them twice"),
        (["out", "narrow", "--output", "comparison.csv"], "a file that exists"),
    ):
        refused = _run("compare", *arguments, cwd=folder)
        assert refused.returncode == 2, arguments
        assert told in refused.stderr
