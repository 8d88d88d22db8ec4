"""`make reproduce` through SLURM, on a SLURM of this one machine: two studies, two workers, a job cancelled.

It needs slurmctld, slurmd, munged and sbatch (Debian: slurmctld slurmd munge slurm-client), root, and no SLURM that is
configured already: a job's own steps read /etc/slurm/slurm.conf and nothing else. Elsewhere it is skipped and says so.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from test_make import ROOT, project, write_notebook  # noqa: F401  (the small project)

NEEDED = ("slurmctld", "slurmd", "munged", "sbatch")
ABSENT = [name for name in NEEDED if shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin") is None]
CONFIGURED = Path("/etc/slurm/slurm.conf")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.fault,
    pytest.mark.skipif(bool(ABSENT), reason=f"SLURM is not on this machine: no {', '.join(ABSENT)}"),
    pytest.mark.skipif(CONFIGURED.exists(), reason="a SLURM is configured here already"),
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="SLURM's daemons want root"),
]
CONF = """ClusterName=here
SlurmctldHost={host}
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/d.pid
SlurmctldLogFile={folder}/ctld.log
SlurmdLogFile={folder}/d.log
SlurmUser=root
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
MpiDefault=none
NodeName={host} CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A SLURM of one node on ports of its own. -> the environment to use it in"""
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    subprocess.run(
        "mkdir -p /run/munge && chown munge:munge /run/munge && chmod 755 /run/munge", shell=True, check=True
    )
    if subprocess.run("munge -n | unmunge", shell=True, capture_output=True).returncode:
        subprocess.run(["runuser", "-u", "munge", "--", "munged"], check=True)
    CONFIGURED.parent.mkdir(parents=True, exist_ok=True)
    host = socket.gethostname().split(".")[0]
    CONFIGURED.write_text(CONF.format(host=host, folder=folder, ports=(free_port(), free_port())))
    environment = os.environ | {"PATH": os.environ["PATH"] + ":/usr/sbin"}
    try:
        for daemon in ("slurmctld", "slurmd"):
            subprocess.run([daemon], env=environment, check=True, capture_output=True, timeout=60)
        for _ in range(60):
            told = subprocess.run(["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True).stdout
            if told.strip() == "idle":
                break
            time.sleep(0.5)
        else:
            pytest.skip("SLURM did not come up within 30 s here")
        yield environment
    finally:
        subprocess.run(["scancel", "--state=RUNNING", "--user=root"], env=environment, capture_output=True)
        for name in ("ctld.pid", "d.pid"):
            if (folder / name).is_file():
                subprocess.run(["kill", (folder / name).read_text().strip()], capture_output=True)
        CONFIGURED.unlink()


@pytest.fixture
def two_studies(project):  # noqa: F811
    """The small study twice, as 02 and, under its ledger, as 03."""
    shutil.copytree(ROOT / "cluster", project / "cluster", dirs_exist_ok=True)
    profile = project / "cluster" / "slurm" / "config.yaml"
    quick = re.sub(r"^(slurm-init-seconds\S*) .*$", r"\1 1", profile.read_text(), flags=re.M)
    profile.write_text(
        re.sub(r"^( +)(- mem_mb=|mem_mb: )\d+$", r"\1\g<2>500", quick, flags=re.M).replace(
            "cpus_per_task: 2", "cpus_per_task: 1"
        )
    )
    settings = (project / "notebooks" / "02_brain_mri_cbam.toml").read_text()
    (project / "notebooks" / "03_again.toml").write_text(settings)
    text = (project / "notebooks" / "02_brain_mri_cbam.ipynb").read_text()
    (project / "notebooks" / "03_again.ipynb").write_text(text.replace('Study.open(\\"02\\"', 'Study.open(\\"03\\"'))
    return project


def start(project_folder: Path, through_slurm: bool) -> subprocess.Popen:
    away = ("STUDYLIB_HOME", "STUDYLIB_RUNS", "STUDYLIB_REPORTS", "STUDYLIB_REPORT", "MAKEFLAGS", "MAKELEVEL")
    environment = {k: v for k, v in os.environ.items() if k not in away} | {"PYTHONPATH": str(project_folder)}
    environment |= {"PATH": environment["PATH"] + ":/usr/sbin"}
    more = ["PROFILE_SNAKEMAKE=cluster/slurm"] if through_slurm else []
    command = ["make", "reproduce", "STUDY=02,03", "JOBS=2", *more]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=project_folder, env=environment, **pipes)


def metrics(project_folder: Path) -> dict[str, bytes]:
    found = (project_folder / "reports" / "phantom-quick").glob("0[23]_*/metrics.json")
    return {path.parent.name: path.read_bytes() for path in found}


def test_two_studies_on_two_workers_one_job_cancelled(two_studies, slurm):
    first = start(two_studies, True)
    cancelled = ""
    for _ in range(240):
        running = subprocess.run(["squeue", "-h", "-t", "R", "-o", "%i"], env=slurm, capture_output=True, text=True)
        if running.stdout.split():
            cancelled = running.stdout.split()[0]
            time.sleep(2)  # it has begun to work
            subprocess.run(["scancel", cancelled], env=slurm, check=True)
            break
        time.sleep(0.5)
    output = first.communicate(timeout=400)[0]
    assert cancelled and first.returncode != 0, output  # one job was lost, and make says so
    second = start(two_studies, True)
    output = second.communicate(timeout=400)[0]
    assert second.returncode == 0, output
    through_slurm = metrics(two_studies)
    assert len(through_slurm) == 2 and not list((two_studies / "runs").glob("*/*.partial"))
    for name in ("runs", "reports"):
        shutil.rmtree(two_studies / name)
    local = start(two_studies, False)
    output = local.communicate(timeout=400)[0]
    assert local.returncode == 0, output
    assert metrics(two_studies) == through_slurm  # the same bytes as on this machine without SLURM
