"""The commands as a user types them."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from ixa_bayes.study.locate import builtin_root

NARROW = {"COLUMNS": "200", "NO_COLOR": "1"}


def _run(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ixa_bayes", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=os.environ | NARROW)


def test_from_template_to_audit(tmp_path: Path) -> None:
    assert _run("new-study", "mine", cwd=tmp_path).returncode == 0
    checked = _run("check-study", "mine", cwd=tmp_path)
    assert checked.returncode == 0
    assert "no fault found" in checked.stdout
    assert "no prior comes from other studies" in checked.stdout
    audited = _run("audit", "mine", "--output", "findings.csv", cwd=tmp_path)
    assert audited.returncode == 0
    assert "contradiction" not in audited.stdout
    assert "1 populations" not in checked.stdout
    assert "1 adjudications" not in checked.stdout
    lines = (tmp_path / "mine" / "statistics.csv").read_text(encoding="utf-8").splitlines()
    told = re.findall(r"(\w+) \(line (\d+)\)", audited.stdout)
    assert told
    assert all(lines[int(line) - 1].startswith(f"{name},") for name, line in told)
    assert (tmp_path / "findings.csv").read_text(encoding="utf-8").startswith("finding_id,check,severity")


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    assert _run("new-study", "mine", cwd=tmp_path).returncode == 0
    again = _run("new-study", "mine", cwd=tmp_path)
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert _run("new-study", "mine", "--force", cwd=tmp_path).returncode == 0
    (tmp_path / "findings.csv").write_text("mine")
    refused = _run("audit", "mine", "--output", "findings.csv", cwd=tmp_path)
    assert refused.returncode == 2
    assert (tmp_path / "findings.csv").read_text() == "mine"


def test_every_fault_is_listed_and_the_exit_code_is_two(tmp_path: Path) -> None:
    _run("new-study", "mine", cwd=tmp_path)
    ledger = tmp_path / "mine" / "statistics.csv"
    lines = ledger.read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].replace(",all,", ",nobody,")
    lines[2] = lines[2].replace(",all,", ",<b>all</b>,")
    ledger.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for command in ("check-study", "audit"):
        failed = _run(command, "mine", cwd=tmp_path)
        assert failed.returncode == 2
        assert "line 2, column 'population': found 'nobody'" in failed.stderr
        assert "line 3, column 'population': found '<b>all</b>'" in failed.stderr
        assert "Traceback" not in failed.stderr


def test_a_study_s_own_models_are_checked_with_it(tmp_path: Path) -> None:
    _run("new-study", "mine", cwd=tmp_path)
    models = tmp_path / "mine" / "models"
    models.mkdir()
    (models / "a.toml").write_text('kind = "guess"\n', encoding="utf-8")
    (models / "b.toml").write_text("kind =\n", encoding="utf-8")
    failed = _run("check-study", "mine", cwd=tmp_path)
    assert failed.returncode == 2
    assert "a.toml, key kind: found 'guess'" in failed.stderr
    assert "b.toml, line 1" in failed.stderr
    assert "correct this line" in failed.stderr
    for path in models.iterdir():
        path.unlink()
    shutil.copy(builtin_root() / "models" / "orr.toml", models)
    assert "models of its own: orr.toml" in _run("check-study", "mine", cwd=tmp_path).stdout


def test_unknown_study_says_what_is_built_in(tmp_path: Path) -> None:
    failed = _run("audit", "zhuo2026", cwd=tmp_path)
    assert failed.returncode == 2
    assert "built in are zhou2026" in failed.stderr


def test_version_is_that_of_the_package(tmp_path: Path) -> None:
    told = _run("--version", cwd=tmp_path)
    assert told.returncode == 0
    assert told.stdout == f"ixa-bayes {version('ixa-bayes')}\n"


def test_list_names_studies_and_models(tmp_path: Path) -> None:
    listed = _run("list", cwd=tmp_path)
    assert "zhou2026" in listed.stdout
    assert "hazard_ratios" in listed.stdout


@pytest.mark.compiles
def test_reanalyse_writes_everything_once(tmp_path: Path) -> None:
    _run("new-study", "mine", cwd=tmp_path)
    first = _run("reanalyse", "mine", "--output", "out", "--seed", "7", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    out = tmp_path / "out"
    assert first.stdout.strip().endswith("Report: out/report.html")
    assert {path.name for path in out.iterdir()} == {"figures", "posterior", "provenance.json", "report.html", "tables"}
    tables = {path.name for path in (out / "tables").iterdir()}
    assert {"audit.csv", "hazard_ratios.csv", "response.csv", "response_contrast.csv", "README.md"} <= tables
    before = (out / "report.html").stat().st_mtime_ns
    second = _run("reanalyse", "mine", "--output", "out", "--seed", "7", cwd=tmp_path)
    assert "Nothing has changed" in second.stdout
    assert (out / "report.html").stat().st_mtime_ns == before
    kept = (out / "tables" / "response.csv").read_bytes()
    forced = _run("reanalyse", "mine", "--output", "out", "--seed", "7", "--force", cwd=tmp_path)
    assert forced.returncode == 0
    assert (out / "report.html").stat().st_mtime_ns > before
    assert (out / "tables" / "response.csv").read_bytes() == kept


def test_reanalyse_never_replaces_what_it_has_not_written(tmp_path: Path) -> None:
    _run("new-study", "mine", cwd=tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    for output in ("out", "mine", ".", ".."):
        for flags in ([], ["--force"]):
            failed = _run("reanalyse", "mine", "--output", output, *flags, cwd=tmp_path)
            assert failed.returncode == 2, failed.stderr
            assert "Traceback" not in failed.stderr
    assert (tmp_path / "out" / "thesis.txt").read_text() == "precious"
    assert (tmp_path / "mine" / "statistics.csv").exists()


def test_a_rerun_asks_before_notes_of_the_users_own_are_lost(tmp_path: Path) -> None:
    _run("new-study", "mine", cwd=tmp_path)
    assert _run("reanalyse", "mine", "--output", "out", cwd=tmp_path).returncode == 0
    (tmp_path / "out" / "my_notes.txt").write_text("precious")
    assert "Nothing has changed" in _run("reanalyse", "mine", "--output", "out", cwd=tmp_path).stdout
    refused = _run("reanalyse", "mine", "--output", "out", "--seed", "5", "--force", cwd=tmp_path)
    assert refused.returncode == 2
    assert "my_notes.txt" in refused.stderr
    assert (tmp_path / "out" / "my_notes.txt").read_text() == "precious"


def test_audit_says_at_once_that_it_cannot_write_a_file_over_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    refused = _run("audit", "zhou2026", "--output", "folder", "--force", cwd=tmp_path)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert not refused.stdout


def test_an_interrupted_run_says_so_and_writes_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ixa_bayes", "reanalyse", "zhou2026", "--output", "out"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=os.environ | NARROW) as running:
        time.sleep(8)
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Nothing was written" in told
    assert not any(tmp_path.iterdir())


def test_results_of_another_study_are_replaced_only_when_told(tmp_path: Path) -> None:
    for name in ("mine", "yours"):
        _run("new-study", name, cwd=tmp_path)
    assert _run("reanalyse", "mine", cwd=tmp_path).returncode == 0
    report = tmp_path / "results" / "mine" / "report.html"
    before = report.stat().st_mtime_ns
    failed = _run("reanalyse", "yours", "--output", "results/mine", cwd=tmp_path)
    assert failed.returncode == 2
    assert "the results of 'mine'" in failed.stderr
    assert report.stat().st_mtime_ns == before
    assert _run("reanalyse", "yours", "--output", "results/mine", "--force", cwd=tmp_path).returncode == 0
    assert report.stat().st_mtime_ns > before
