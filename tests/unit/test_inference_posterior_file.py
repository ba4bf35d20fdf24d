from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from ixa_bayes.errors import InputError
from ixa_bayes.inference.posterior_file import IDENTITY, data_hash, load_posterior, save_posterior

WHO = {"program": "toy/1", "model_sha256": "m", "data_sha256": "d"}


@pytest.fixture
def posterior() -> xr.DataTree:
    draws = xr.Dataset(
        {"rate": (("chain", "draw", "group"), np.random.default_rng(1).uniform(size=(4, 10, 2)))},
        coords={"group": ["≥ 80 years", "<b>no</b>"]},
    )
    statistics = xr.Dataset({"diverging": (("chain", "draw"), np.zeros((4, 10), dtype=bool))})
    tree = xr.DataTree.from_dict({"posterior": draws, "sample_stats": statistics})
    tree.attrs.update(WHO | {"seed": 3})
    return tree


def test_what_is_saved_is_read_back(posterior: xr.DataTree, tmp_path: Path) -> None:
    path = save_posterior(posterior, tmp_path / "new" / "toy.nc")
    back = load_posterior(path, expected=WHO)
    xr.testing.assert_identical(back["posterior"].to_dataset(), posterior["posterior"].to_dataset())
    assert back["sample_stats"]["diverging"].dtype == bool
    assert back.attrs["seed"] == 3
    assert [found.name for found in path.parent.iterdir()] == ["toy.nc"]


def test_a_reader_of_the_old_file_is_not_disturbed(posterior: xr.DataTree, tmp_path: Path) -> None:
    path = save_posterior(posterior, tmp_path / "toy.nc")
    before = path.read_bytes()
    with path.open("rb") as reading:
        posterior.attrs["seed"] = 4
        save_posterior(posterior, path)
        assert reading.read() == before
    assert load_posterior(path, expected=WHO).attrs["seed"] == 4


@pytest.mark.parametrize("name", IDENTITY)
def test_a_file_of_another_model_or_data_is_refused(posterior: xr.DataTree, tmp_path: Path, name: str) -> None:
    path = save_posterior(posterior, tmp_path / "toy.nc")
    with pytest.raises(InputError) as caught:
        load_posterior(path, expected=WHO | {name: "other"})
    assert [problem.where for problem in caught.value.problems] == [f"{path}, attribute {name!r}"]


def test_a_posterior_without_identity_is_not_written(posterior: xr.DataTree, tmp_path: Path) -> None:
    del posterior.attrs["data_sha256"]
    with pytest.raises(ValueError, match="data_sha256"):
        save_posterior(posterior, tmp_path / "toy.nc")
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(
    posterior: xr.DataTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_posterior(posterior, tmp_path / "toy.nc")

    def fail(_: xr.DataTree, target: Path, **__: object) -> None:
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(xr.DataTree, "to_netcdf", fail)
    with pytest.raises(OSError, match="disk full"):
        save_posterior(posterior, path)
    monkeypatch.undo()
    assert load_posterior(path, expected=WHO).attrs["seed"] == 3
    assert [found.name for found in tmp_path.iterdir()] == ["toy.nc"]


def test_a_missing_file_and_a_broken_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_posterior(tmp_path / "none.nc", expected=WHO)
    broken = tmp_path / "broken.nc"
    broken.write_bytes(b"not NetCDF")
    with pytest.raises(InputError, match="must be a NetCDF file"):
        load_posterior(broken, expected=WHO)


def test_a_file_without_posterior_is_refused(tmp_path: Path) -> None:
    tree = xr.DataTree.from_dict({"prior": xr.Dataset({"x": 1.0})})
    tree.attrs.update(WHO)
    path = save_posterior(tree, tmp_path / "prior.nc")
    with pytest.raises(InputError, match="must hold a posterior"):
        load_posterior(path, expected=WHO)


def test_hash_depends_on_names_values_shapes_and_labels() -> None:
    base = data_hash({"r": np.array([1, 2]), "mu": 0.0}, labels=("a", "b"))
    assert base == data_hash({"mu": 0.0, "r": [1, 2]}, labels=("a", "b"))
    others = [
        data_hash({"r": np.array([1, 3]), "mu": 0.0}, labels=("a", "b")),
        data_hash({"r": np.array([[1, 2]]), "mu": 0.0}, labels=("a", "b")),
        data_hash({"q": np.array([1, 2]), "mu": 0.0}, labels=("a", "b")),
        data_hash({"r": np.array([1, 2]), "mu": 0.0}, labels=("b", "a")),
    ]
    assert len({base, *others}) == 5
