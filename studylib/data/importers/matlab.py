"""Fields of MATLAB files: version 7.3, which is HDF5, and version 5. Arrays come as MATLAB shows them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from studylib.data.dataset import DataError


def read_hdf5(path: Path, group: str, fields: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read fields of a struct from a MATLAB 7.3 file, turned as MATLAB shows them (HDF5 holds them transposed).

    Raises DataError for a file that is not HDF5 or is cut off, and for a struct or field that is not there.
    """
    import h5py

    if not h5py.is_hdf5(path):
        raise DataError(f"{path.name}: not a MATLAB 7.3 (HDF5) file; download it again from the set's home page")
    try:
        with h5py.File(path, "r") as file:
            if group not in file:
                held = ", ".join(sorted(key for key in file if not key.startswith("#"))) or "nothing"
                raise DataError(f"{path.name}: has no struct '{group}' (it holds {held}); is it a file of this set?")
            lacking = [field for field in fields if field not in file[group]]
            if lacking:
                raise DataError(f"{path.name}: '{group}' lacks {', '.join(lacking)}; download it again")
            return {field: np.asarray(file[group][field]).T for field in fields}
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read to its end ({error}); download it again") from None


def read_variable(path: Path, name: str) -> np.ndarray:
    """Read one variable of a MATLAB file of any version. Raises DataError where the file or the variable is no good."""
    import h5py

    if h5py.is_hdf5(path):
        try:
            with h5py.File(path, "r") as file:
                if name in file:
                    return np.asarray(file[name]).T
                held = ", ".join(sorted(file))
        except OSError as error:
            raise DataError(f"{path.name}: cannot be read to its end ({error}); download it again") from None
    else:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError

        try:
            content = loadmat(path)
        except (MatReadError, ValueError, TypeError, OSError, NotImplementedError) as error:
            raise DataError(f"{path.name}: not a MATLAB file ({error}); download it again") from None
        if name in content:
            return np.asarray(content[name])
        held = ", ".join(key for key in content if not key.startswith("__"))
    raise DataError(f"{path.name}: has no variable '{name}' (it holds {held or 'nothing'}); is it a file of this set?")


def text_of(codes: np.ndarray) -> str:
    """A MATLAB string, kept as character codes, as text."""
    return "".join(chr(int(code)) for code in np.asarray(codes).ravel()).strip()
