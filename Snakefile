# What depends on what: networks -> reports. All correctness lives in studylib: a finished fit is never trained twice, a report
# appears whole or not at all, and two runs at once share the work; Snakemake only says what may run beside what.
from pathlib import Path

from studylib.study.overview import folders_read
from studylib.study.root import find_root, reports_folder, runs_folder
from studylib.study.settings import check_parameters, load_settings, notebook_name, overviews, studies

ROOT = find_root()
DATA, PROFILE, SEED = config["data"], config["profile"], int(config["seed"])
GIVEN = str(config.get("study", "all"))
NUMBERS = sorted([*studies(ROOT), *overviews(ROOT)]) if GIVEN == "all" else [n.zfill(2) for n in GIVEN.split(",")]  # YAML reads 02 as a number
OVERVIEWS = [number for number in NUMBERS if number in overviews(ROOT)]
STUDIES = [number for number in NUMBERS if number not in OVERVIEWS]
check_parameters(DATA, PROFILE, SEED)
DONE = runs_folder(ROOT) / ".done" / f"{DATA}-{PROFILE}"
NAMES = {study: load_settings(study, ROOT).name for study in STUDIES} | {n: notebook_name(n, ROOT) for n in OVERVIEWS}
WORKERS = range(int(config["workers"]))  # the same number in a cluster's job, which has cores of its own
CODE = sorted(str(path) for path in (ROOT / "studylib").rglob("*.py"))
ASKED = f"seed {SEED} data {os.environ.get('STUDYLIB_DATA')} weights {os.environ.get('STUDYLIB_WEIGHTS')}\n"
OPTIONS = f"--data {DATA} --profile {PROFILE} --seed {SEED}"

DONE.mkdir(parents=True, exist_ok=True)
settings = DONE / ".settings"  # keeps an old seed's report from passing as fresh; rewritten only when it changes
if not settings.exists() or settings.read_text() != ASKED:
    settings.write_text(ASKED)
for study, name in NAMES.items():  # a report that was removed is made again
    if not (reports_folder(ROOT) / f"{DATA}-{PROFILE}" / name / "provenance.json").exists():
        (DONE / f"report-{study}").unlink(missing_ok=True)


rule all:
    input: [DONE / f"report-{number}" for number in NUMBERS]

rule fits:
    input: settings, CODE, lambda w: ROOT / "notebooks" / f"{NAMES[w.study]}.toml"
    output: touch(DONE / "fits-{study}-{worker}")
    shell: f"OMP_NUM_THREADS=1 python -m studylib fits {{wildcards.study}} {OPTIONS} --worker {{wildcards.worker}}/{len(WORKERS)}"

rule report:
    input:
        [DONE / f"fits-{{study}}-{worker}" for worker in WORKERS],
        lambda w: ROOT / "data" / "claims" / f"{w.study}.toml",
        lambda w: ROOT / "notebooks" / f"{NAMES[w.study]}.ipynb",
    output: touch(DONE / "report-{study}")
    wildcard_constraints: study = "|".join(STUDIES) or "none"
    shell: f"python -m studylib report {{wildcards.study}} {OPTIONS}"

rule overview:
    input:
        [DONE / f"report-{study}" for study in STUDIES],
        [folder / "metrics.json" for folder in folders_read(ROOT, DATA, PROFILE)], CODE,
        lambda w: ROOT / "notebooks" / f"{NAMES[w.number]}.ipynb",
    output: touch(DONE / "report-{number}")
    wildcard_constraints: number = "|".join(OVERVIEWS) or "none"
    shell: f"python -m studylib report {{wildcards.number}} {OPTIONS}"
