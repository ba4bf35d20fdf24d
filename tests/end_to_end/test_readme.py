"""What the README quotes is what the commands print, and its worked example works as it is written."""

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ixa_bayes as ib
from ixa_bayes.models.analysis import analysis_from
from ixa_bayes.models.effects import EffectAnalysis
from ixa_bayes.report.headlines import headlines

if TYPE_CHECKING:
    from ixa_bayes.report.results import Results

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "ixa_bayes"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def _quoted(beginning: str) -> str:
    (block,) = [block for block in _blocks("text") if block.strip().startswith(beginning)]
    return block


def _plain(text: str) -> str:
    """Without the line breaks of a terminal."""
    return " ".join(text.split())


def _run(*arguments: str, cwd: Path) -> str:
    return _plain(_printed(*arguments, cwd=cwd))


def _printed(*arguments: str, cwd: Path) -> str:
    command = [sys.executable, "-m", "ixa_bayes", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def _write_example(where: Path, *, adjudicated: bool) -> None:
    folder = where / "my_study"
    folder.mkdir(exist_ok=True)
    definition, adjudication = _blocks("toml")
    text = definition + adjudication if adjudicated else definition
    (folder / "study.toml").write_text(text, encoding="utf-8")
    (folder / "statistics.csv").write_text(_blocks("csv")[0], encoding="utf-8")


def test_the_worked_example_goes_from_sentence_to_finding_to_adjudication(tmp_path: Path) -> None:
    _write_example(tmp_path, adjudicated=False)
    assert "no fault found" in _run("check-study", "my_study", cwd=tmp_path)
    found = _plain(_quoted("Contradiction counts_behind_percentages\n  Response by Renal"))
    assert found in _run("audit", "my_study", cwd=tmp_path)
    _write_example(tmp_path, adjudicated=True)
    assert _plain(_quoted("consequence:")) in _run("audit", "my_study", cwd=tmp_path)


@pytest.mark.compiles
def test_the_worked_example_ends_with_what_is_quoted(tmp_path: Path) -> None:
    _write_example(tmp_path, adjudicated=True)
    assert _run("reanalyse", "my_study", cwd=tmp_path) == _plain(_quoted("Overall survival, impaired v normal"))


def test_findings_of_the_built_in_study_are_those_quoted(tmp_path: Path) -> None:
    printed = _run("audit", "zhou2026", cwd=tmp_path)
    assert _plain(_quoted("Contradiction counts_behind_percentages\n  Overall response")) in printed
    (told,) = re.findall(r"audit of the same paper has (\d+) findings", README)
    assert printed.startswith(f"{told} findings:")


def test_headlines_of_the_built_in_study_are_those_quoted(hostile_results: "Results") -> None:
    analysis = analysis_from("hazard_ratios", EffectAnalysis)
    few = analysis.calibration.model_copy(update={"replicates": 200})  # of log-rank p values, which are not quoted
    effects = ib.reanalyse_hazard_ratios("zhou2026", analysis.model_copy(update={"calibration": few}), seed=1)
    found = replace(hostile_results, study=ib.read_study("zhou2026"), hazard_ratios=effects.hazard_ratios)
    *quoted, report = _quoted("Progression-free survival, GFR").splitlines()
    assert quoted == headlines(found)
    assert report == "Report: results/zhou2026/report.html"
    for number in re.findall(r"(?:with|keeps)\s+(\d+\.\d+ \(\d+\.\d+ to \d+\.\d+\))", README):
        assert f"for a sceptic HR {number}" in "\n".join(quoted)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where the README's fit of the example is, and what it printed."""
    where = tmp_path_factory.mktemp("example")
    fit = ["fit", "pfs_weibull", "--cohort", "example_cohort", "--output", "results/example"]
    return where, _printed(*fit, cwd=where)


@pytest.mark.compiles
def test_the_fit_of_the_example_is_what_is_quoted(example: tuple[Path, str]) -> None:
    quoted = _quoted("Prior: median of the reference profile").splitlines()
    found = example[1].splitlines()
    assert quoted[:4] == found[:4]
    assert quoted[-2:] == found[-2:]
    # Draws of the sampler are the same on one machine only; on another the last digit may differ.
    assert [line.split(":")[0] for line in quoted] == [line.split(":")[0] for line in found]
    for told, now in zip(quoted[4:-2], found[4:-2], strict=True):
        assert _numbers(now) == pytest.approx(_numbers(told), rel=0.1, abs=0.02), now


@pytest.mark.compiles
def test_the_comparison_of_the_example_is_what_is_quoted(example: tuple[Path, str]) -> None:
    where, _ = example
    _printed("fit", "pfs_piecewise", "--cohort", "example_cohort", "--output", "results/piecewise", cwd=where)
    found = _printed("compare", "results/example", "results/piecewise", cwd=where).splitlines()
    quoted = _quoted("fit ").splitlines()
    assert quoted[0].split() == found[0].split()
    assert [line.split()[0] for line in quoted] == [line.split()[0] for line in found]
    # Which patient's Pareto k is barely high, and how the weights fall, differs between machines.
    for told, now in zip(quoted[1:], found[1:], strict=True):
        assert _numbers(now)[:2] == pytest.approx(_numbers(told)[:2], rel=0.02), now
    for told, now in zip(quoted[1:], found[1:], strict=True):
        assert told.split("  ")[-1].split(";")[0] == now.split("  ")[-1].split(";")[0]


@pytest.mark.compiles
def test_the_calibration_of_the_example_is_what_is_quoted(example: tuple[Path, str]) -> None:
    """With fewer replicates than the README's, which only the first line tells."""
    where, _ = example
    found = _printed("calibrate", "results/example", "--replicates", "20", cwd=where).splitlines()
    quoted = _quoted("100 simulated cohorts").splitlines()
    assert found[1:] == quoted[1:]
    assert re.sub(r"\d+\.\d+%", "%", found[0]).replace("20 simulated", "100 simulated") == re.sub(
        r"\d+\.\d+%", "%", quoted[0]
    )


@pytest.mark.compiles
def test_the_python_block_prints_what_is_quoted(tmp_path: Path) -> None:
    (python,) = _blocks("python")
    (tmp_path / "block.py").write_text(python, encoding="utf-8")
    done = subprocess.run([sys.executable, "block.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = done.stdout.splitlines()
    quoted = _quoted(found[0]).splitlines()
    assert [line.split()[0] for line in found] == [line.split()[0] for line in quoted]
    for told, now in zip(quoted, found, strict=True):
        assert _numbers(now) == pytest.approx(_numbers(told), rel=0.1, abs=0.02), now


def _numbers(line: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+\.\d+", line)]


def test_every_name_linked_or_called_exists() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", README)
    assert linked
    assert [link for link in linked if not (ROOT / link).exists()] == []
    (python,) = _blocks("python")
    assert set(re.findall(r"\bib\.(\w+)", python)) <= set(ib.__all__)
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.casefold()).strip().replace(" ", "-")
        for line in README.splitlines()
        if line.startswith("#")
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= headings


def test_the_version_is_the_same_everywhere() -> None:
    assert set(re.findall(r"ixa_bayes-([\d.]+)-py3-none-any\.whl", README)) == {ib.__version__}
    assert f"\nversion: {ib.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_folders_stand_in_the_order_that_is_enforced() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    folders = [
        layer.removeprefix("ixa_bayes.") for layer in reversed(layers) if (PACKAGE / layer.partition(".")[2]).is_dir()
    ]
    assert re.findall(r"^src/ixa_bayes/(\w+)/ ", README, flags=re.MULTILINE) == folders


def test_the_commands_told_exist(tmp_path: Path) -> None:
    known = _run("--help", cwd=tmp_path)
    told = set(re.findall(r"ixa-bayes ([a-z]+(?:-[a-z]+)?)", "\n".join(_blocks("sh")))) | {"audit", "reanalyse", "list"}
    assert len(told) >= 5
    assert [command for command in sorted(told) if f" {command} " not in known] == []
