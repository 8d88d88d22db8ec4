"""The page is started for this machine alone, tells nobody, and says in one sentence why it cannot start."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from studylib.__main__ import is_expected, main
from studylib.app import server
from studylib.app.server import ADDRESS, FLAGS, ViewerError, command, environment, serve, taken

ROOT = Path(__file__).resolve().parents[1]


def test_what_is_private_stands_on_the_command_line():
    flags = dict(word[2:].split("=", 1) for word in command(8600) if word.startswith("--"))
    assert flags["server.address"] == ADDRESS == "127.0.0.1" and flags["server.port"] == "8600"
    assert flags["browser.gatherUsageStats"] == "false" and flags["server.fileWatcherType"] == "none"
    assert flags["server.headless"] == "true" and flags["server.maxUploadSize"] == "20"
    assert flags["client.showErrorDetails"] == "none"


def test_streamlit_knows_every_flag():
    """A flag of another version would be refused by name: none of them is passed over in silence."""
    config = pytest.importorskip("streamlit.config", reason="streamlit is not installed")
    assert [name for name in FLAGS if name not in config._config_options_template] == []


def test_the_page_finds_this_package_from_any_folder(tmp_path):
    code = "import studylib, os; print(studylib.__file__, os.environ['STUDYLIB_APP_SEED'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(3), capture_output=True, text=True
    )
    assert done.stdout.split() == [str(ROOT / "studylib" / "__init__.py"), "3"]


def test_a_port_that_is_taken_is_one_sentence():
    with socket.socket() as other:
        other.bind((ADDRESS, 0))
        other.listen()
        port = other.getsockname()[1]
        assert taken(port)
        with pytest.raises(ViewerError, match=f"port {port} is in use.*make app PORT={min(port + 1, 65_535)}"):
            serve(port)
    assert not taken(port)


def test_errors_of_the_user_s_making_end_with_status_1(capsys, monkeypatch):
    assert main(["app", "--port", "70000"]) == 1
    assert "port 70000 does not exist" in capsys.readouterr().err
    monkeypatch.setattr(server, "find_spec", lambda _: None)
    assert main(["app"]) == 1
    assert "pip install 'studylib[app]'" in capsys.readouterr().err and is_expected(ViewerError("x"))


def test_make_app_hands_port_and_seed_on():
    done = subprocess.run(
        ["make", "-n", "app", "PORT=8512", "SEED=2"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "python -m studylib app --port 8512 --seed 2" in done.stdout
