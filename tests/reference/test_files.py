"""The reference files are what their README says they are."""

import hashlib
import re
from pathlib import Path

HERE = Path(__file__).parent


def test_each_reference_file_has_the_hash_of_the_readme() -> None:
    stated = dict(
        re.findall(r"^\| `([^`]+)` .*\| `([0-9a-f]{64})` \|$", (HERE / "README.md").read_text(), re.MULTILINE)
    )
    actual = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in HERE.iterdir()
        if path.suffix in (".json", ".csv")
    }
    assert stated == actual
