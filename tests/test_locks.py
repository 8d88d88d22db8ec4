"""A lock keeps a second process out, and a killed holder gives it back."""

import subprocess
import sys
import time

from studylib.training.locks import is_free, lock

HOLD = """
import sys, time
from pathlib import Path
from studylib.training.locks import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_holder_gives_it_back(tmp_path):
    path = tmp_path / "a" / "lock"
    assert is_free(path)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    assert not is_free(path)
    holder.kill()
    holder.wait()
    began = time.monotonic()
    with lock(path):
        assert time.monotonic() - began < 10
        assert not is_free(path)
    assert is_free(path)
