"""Starts the viewer's page: on this machine alone, telling nobody, writing nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from studylib.app.uploads import MEGABYTES

ADDRESS, PORT = "127.0.0.1", 8501
SCRIPT = Path(__file__).with_name("viewer.py")
SEED = "STUDYLIB_APP_SEED"  # tells the page which seed the networks were trained with
FLAGS = {
    "server.address": ADDRESS,  # no other machine can ask
    "server.headless": "true",  # no browser is opened, no e-mail address is asked for
    "server.fileWatcherType": "none",
    "server.runOnSave": "false",
    "server.maxUploadSize": str(MEGABYTES),
    "server.maxMessageSize": "200",
    "server.enableStaticServing": "false",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",  # an error says what happened, not what was in memory
    "runner.magicEnabled": "false",
    "theme.light.primaryColor": "#22699c",  # a colour for each, so that the reader's own choice of light or dark stands
    "theme.dark.primaryColor": "#6db3e2",
}


class ViewerError(RuntimeError):
    """The viewer cannot start, and what to do."""


def command(port: int) -> list[str]:
    """What is started: every setting on the command line, so that no file of a reader's home changes it."""
    options = [f"--{name}={value}" for name, value in FLAGS.items()]
    return [sys.executable, "-m", "streamlit", "run", str(SCRIPT), *options, f"--server.port={port}"]


def environment(seed: int) -> dict[str, str]:
    """The surroundings of the page: this package, whatever lies in the folder where it is started."""
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH", ""))))
    return os.environ | {"PYTHONPATH": path, "MPLBACKEND": "agg", SEED: str(seed)}


def serve(port: int = PORT, seed: int = 0) -> int:
    """Start the page and wait until it is stopped. Raises ViewerError where Streamlit is missing or the port taken."""
    if find_spec("streamlit") is None:
        raise ViewerError("the viewer needs Streamlit, which is not installed: `pip install 'studylib[app]'`")
    if not 1 <= port <= 65_535:
        raise ViewerError(f"port {port} does not exist; it is a number from 1 to 65535 ({PORT} unless said)")
    if taken(port):
        raise ViewerError(
            f"port {port} is in use, perhaps by another viewer: look at http://{ADDRESS}:{port}, "
            f"or start this one with `make app PORT={min(port + 1, 65_535)}`"
        )
    print(f"viewer: http://{ADDRESS}:{port} (this machine only; Ctrl-C stops it)", flush=True)
    started = subprocess.Popen(command(port), env=environment(seed))
    try:
        return started.wait()
    except KeyboardInterrupt:
        started.wait(10)  # it was interrupted too, and goes by itself
        raise


def taken(port: int) -> bool:
    """Whether something listens on a port of this machine."""
    with socket.socket() as asked:
        asked.settimeout(1)
        return asked.connect_ex((ADDRESS, port)) == 0
