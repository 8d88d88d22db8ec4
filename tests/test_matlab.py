"""Fields of MATLAB files of both formats, as MATLAB shows them."""

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from studylib.data.dataset import DataError
from studylib.data.importers.matlab import read_hdf5, read_variable, text_of


def test_arrays_come_as_matlab_shows_them(tmp_path):
    shown = np.arange(6).reshape(2, 3)
    with h5py.File(tmp_path / "new.mat", "w") as file:
        file["cjdata/x"] = shown.T  # HDF5 holds columns first
        file["cvind"] = shown.T
    np.testing.assert_array_equal(read_hdf5(tmp_path / "new.mat", "cjdata", ("x",))["x"], shown)
    np.testing.assert_array_equal(read_variable(tmp_path / "new.mat", "cvind"), shown)
    savemat(tmp_path / "old.mat", {"cvind": shown})
    np.testing.assert_array_equal(read_variable(tmp_path / "old.mat", "cvind"), shown)


def test_text_is_kept_as_codes():
    assert text_of(np.array([[ord(c)] for c in "MR040240B "])) == "MR040240B"


def test_no_matlab_file_at_all(tmp_path):
    (tmp_path / "x.mat").write_text("hello")
    with pytest.raises(DataError, match="x.mat: not a MATLAB file"):
        read_variable(tmp_path / "x.mat", "cvind")
