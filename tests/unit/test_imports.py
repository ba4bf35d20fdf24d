"""What commands may cost: the import rules of the command line and of the package."""

import json
import subprocess
import sys

import pytest

from ixa_bayes.cli import app

COMMANDS = [command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands]
SLOW = {"numpy", "pandas", "scipy", "arviz", "pymc", "nutpie", "matplotlib", "xarray"}


def _loaded_by(code: str) -> set[str]:
    script = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_help_loads_nothing_slow() -> None:
    code = (
        "from typer.testing import CliRunner\nfrom ixa_bayes.cli import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0"
    )
    assert not _loaded_by(code) & SLOW


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_has_an_example_and_loads_nothing_slow(command: str) -> None:
    code = (
        "from typer.testing import CliRunner\nfrom ixa_bayes.cli import app\n"
        f"result = CliRunner().invoke(app, [{command!r}, '--help'])\n"
        f"assert 'Example: ixa-bayes {command}' in result.output, result.output"
    )
    assert not _loaded_by(code) & SLOW


def test_version_loads_nothing_slow() -> None:
    code = (
        "from typer.testing import CliRunner\nfrom ixa_bayes.cli import app\n"
        "assert CliRunner().invoke(app, ['--version']).output.startswith('ixa-bayes ')"
    )
    assert not _loaded_by(code) & SLOW


def test_audit_loads_no_sampler() -> None:
    code = (
        "from typer.testing import CliRunner\nfrom ixa_bayes.cli import app\n"
        "assert CliRunner().invoke(app, ['audit', 'zhou2026']).exit_code == 0"
    )
    assert not _loaded_by(code) & {"arviz", "pymc", "nutpie", "matplotlib"}


def test_package_loads_lazily() -> None:
    assert not _loaded_by("import ixa_bayes") & SLOW


def test_every_public_name_loads_and_shares_no_subpackage_name() -> None:
    import ixa_bayes

    subpackages = {
        "formulas",
        "study",
        "cohort",
        "models",
        "inference",
        "crosscheck",
        "reconstruction",
        "sensitivity",
        "trial_design",
        "report",
    }
    assert not subpackages & set(ixa_bayes.__all__)
    assert sorted(ixa_bayes.__all__) == sorted(ixa_bayes._HOMES)
    for name in ixa_bayes.__all__:
        assert getattr(ixa_bayes, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = ixa_bayes.nonsense
