from pathlib import Path

import pytest

from ixa_bayes.errors import InputError
from ixa_bayes.files import folder_replaced, write_text


def test_text_is_not_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_text(path, "first", force=False)
    with pytest.raises(InputError) as error:
        write_text(path, "second", force=False)
    assert "--force" in error.value.problems[0].mend
    assert path.read_text() == "first"
    write_text(path, "third", force=True)
    assert path.read_text() == "third"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_no_file_to_write(tmp_path: Path) -> None:
    for force in (False, True):
        with pytest.raises(InputError, match="name a file in it"):
            write_text(tmp_path, "text", force=force)


def test_folder_takes_the_place_of_the_old_one_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "results"
    with folder_replaced(target) as fresh:
        (fresh / "one").write_text("1")
        assert not target.exists()
    with folder_replaced(target) as fresh:
        (fresh / "two").write_text("2")
    assert [path.name for path in target.iterdir()] == ["two"]
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt])
def test_an_interrupted_run_leaves_the_old_folder(tmp_path: Path, interruption: type[BaseException]) -> None:
    target = tmp_path / "results"
    with folder_replaced(target) as fresh:
        (fresh / "one").write_text("1")

    def interrupted() -> None:
        with folder_replaced(target) as fresh:
            (fresh / "half").write_text("...")
            raise interruption

    with pytest.raises(interruption):
        interrupted()
    assert [path.name for path in target.iterdir()] == ["one"]
    assert list(tmp_path.iterdir()) == [target]
