"""What a user installs: the wheel, built from the sdist, in an empty environment and an empty folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = ROOT / ".tools" / "bin" / "uv"

pytestmark = pytest.mark.wheel


def _run(*command: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not UV.exists():
        pytest.skip("needs the uv that make installs into .tools")
    folder = tmp_path_factory.mktemp("dist")
    _run(UV, "build", "--quiet", "--out-dir", folder, ROOT, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_audits_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    environment, empty = tmp_path / "venv", tmp_path / "empty"
    empty.mkdir()
    _run(UV, "venv", "--quiet", "--python", sys.executable, environment, cwd=tmp_path)
    python = environment / "bin" / "python"
    requirements = tmp_path / "requirements.txt"
    exported = _run(UV, "export", "--quiet", "--locked", "--no-dev", "--no-emit-project", "--no-hashes", cwd=ROOT)
    requirements.write_text(exported)
    _run(UV, "pip", "install", "--quiet", "--python", python, "--requirement", requirements, wheel, cwd=empty)
    listed = _run(environment / "bin" / "ixa-bayes", "list", cwd=empty)
    assert "zhou2026" in listed
    assert "hazard_ratios" in listed
    assert str(ROOT) not in listed
    audited = _run(environment / "bin" / "ixa-bayes", "audit", "zhou2026", cwd=empty)
    assert "findings" in audited
    _run(environment / "bin" / "ixa-bayes", "new-study", "mine", cwd=empty)
    assert "no fault found" in _run(environment / "bin" / "ixa-bayes", "check-study", "mine", cwd=empty)
    shutil.rmtree(empty / "mine")
    assert not any(empty.iterdir())
