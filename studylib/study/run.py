"""A report: the notebook run by papermill in a folder beside, cleaned, rendered, and put in place whole."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from pathlib import Path

from studylib.study import colab
from studylib.study.overview import digest, folders_read
from studylib.study.record import ReportError, clear_remains, explained, whole_folder
from studylib.study.root import find_clone, find_root, reports_folder, runs_folder, work_folder
from studylib.study.settings import SettingsError, check_parameters, load_settings, notebook_name, overviews
from studylib.training.locks import lock
from studylib.training.memory import keeping_buffers

ADDRESS = re.compile(r"(<[^<>]*?) at 0x[0-9a-fA-F]+(>)")


def report(study: str, data: str, profile: str, seed: int, force: bool = False) -> Path:
    """Run a study's notebook and write its report, unless an up-to-date one is there. -> the report folder.

    Raises ReportError with the failed cell's last line; the failed notebook is kept in logs/.
    """
    check_parameters(data, profile, seed)
    root = find_root()
    name = notebook_name(study, root)
    if study not in overviews(root):
        load_settings(study, root).profile(profile)
    notebook = root / "notebooks" / f"{name}.ipynb"
    final = reports_folder(root) / f"{data}-{profile}" / name
    inputs = inputs_digest(root, name, data, profile, seed)
    with lock(runs_folder(root) / ".locks" / f"report-{data}-{profile}-{name}"):
        with explained(final.parent):
            final.parent.mkdir(parents=True, exist_ok=True)
            clear_remains(final)
        stamp = runs_folder(root) / ".done" / f"{data}-{profile}" / f"made-{name}"
        if not force and up_to_date(final, stamp, inputs):
            (work_folder(root) / "logs" / f"{study}.failed.ipynb").unlink(missing_ok=True)
            return final
        with whole_folder(final) as folder:
            check_notebook(notebook, {"data": data, "profile": profile, "seed": seed})
            execute(notebook, folder, {"data": data, "profile": profile, "seed": seed}, root)
            with explained(final):
                add_inputs(folder / "provenance.json", inputs)
                render(folder / notebook.name)
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(inputs)
    return final


def inputs_digest(root: Path, name: str, data: str, profile: str, seed: int) -> str:
    """Sixteen hex digits of all that a report is made from, but the images: code, notebook's source, settings,
    ledger, weights, sets; for an overview the reports that it reads.
    """
    sha = hashlib.sha256(json.dumps([data, profile, seed]).encode())
    for path in sorted(Path(__file__).resolve().parents[1].rglob("*.py")):
        sha.update(path.read_bytes())
    if name[:2] in overviews(root):
        sha.update(digest(folders_read(root, data, profile)).encode())
    else:
        sha.update((root / "notebooks" / f"{name}.toml").read_bytes())
        sha.update((root / "data" / "claims" / f"{name[:2]}.toml").read_bytes())
    content = json.loads((root / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    cells = [c for c in content["cells"] if "colab" not in c["metadata"].get("tags", [])]  # it does nothing here
    sha.update(json.dumps([(c["cell_type"], c["source"]) for c in cells]).encode())
    for variable in ("STUDYLIB_DATA", "STUDYLIB_WEIGHTS"):
        folder = os.environ.get(variable) if data == "real" else None
        for path in (
            sorted(Path(folder).glob("*/metadata.csv")) + sorted(Path(folder).glob("index.json")) if folder else []
        ):
            sha.update(f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}".encode())
    return sha.hexdigest()[:16]


def up_to_date(final: Path, stamp: Path, inputs: str) -> bool:
    """Whether a report made from these inputs stands there and was made here: one that came with a clone was not."""
    try:
        made = json.loads((final / "provenance.json").read_text())["inputs"]
        return stamp.read_text() == made == inputs
    except (OSError, ValueError, KeyError):
        return False


def check_notebook(notebook: Path, parameters: dict) -> None:
    """Refuse a notebook without its `parameters` cell or with other names in it; papermill would only warn."""
    import papermill

    if not notebook.is_file():
        raise SettingsError(f"notebooks/{notebook.name} is missing beside its settings")
    found = set(papermill.inspect_notebook(str(notebook)))
    if found != set(parameters):
        raise SettingsError(
            f"notebooks/{notebook.name}: its parameters cell has {sorted(found) or 'nothing'}, "
            f"expected {sorted(parameters)}"
        )


def execute(notebook: Path, folder: Path, parameters: dict, root: Path) -> None:
    """Run every cell with papermill; the cleaned result lies in `folder`. A failed one goes to logs/."""
    import papermill
    from nbclient.exceptions import DeadKernelError

    output = folder / notebook.name
    kernel = keeping_buffers()  # half of the time of a report went into clearing pages
    names = ("STUDYLIB_REPORT", "STUDYLIB_HOME", "OMP_NUM_THREADS", "IPYTHONDIR", *kernel)
    before = {name: os.environ.get(name) for name in names}
    profile = quiet_profile(folder)
    os.environ |= {"STUDYLIB_REPORT": str(folder), "STUDYLIB_HOME": str(root), "IPYTHONDIR": str(profile)}
    for name, value in (kernel | {"OMP_NUM_THREADS": str(os.cpu_count() or 1)}).items():
        os.environ.setdefault(name, value)
    try:
        where = str(work_folder(root))
        papermill.execute_notebook(str(notebook), str(output), parameters=parameters, progress_bar=False, cwd=where)
    except papermill.PapermillExecutionError as error:
        _keep_failed(output, root)
        raise ReportError(
            f"{notebook.stem}: cell {error.exec_count} stopped with {error.ename}: {error.evalue}\n"
            f"the notebook as far as it came: logs/{notebook.stem[:2]}.failed.ipynb"
        ) from error
    except (DeadKernelError, RuntimeError) as error:
        _keep_failed(output, root)
        raise ReportError(
            f"{notebook.stem}: the kernel died before its last cell; run again, finished fits are kept"
        ) from error
    finally:
        shutil.rmtree(profile, ignore_errors=True)
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
    content = with_headline(cleaned(json.loads(output.read_text())), folder / "headline.md")
    output.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    (work_folder(root) / "logs" / f"{notebook.stem[:2]}.failed.ipynb").unlink(missing_ok=True)


def quiet_profile(folder: Path) -> Path:
    """A kernel profile of its own: nobody's start-up files change a result, and the kernel prints errors only."""
    profile = folder / ".ipython"
    (profile / "profile_default").mkdir(parents=True)
    (profile / "profile_default" / "ipython_kernel_config.py").write_text("get_config().IPKernelApp.log_level = 40\n")
    return profile


def _keep_failed(output: Path, root: Path) -> None:
    if output.exists():
        logs = work_folder(root) / "logs"
        logs.mkdir(exist_ok=True)
        shutil.copyfile(output, logs / f"{output.name[:2]}.failed.ipynb")


def cleaned(notebook: dict) -> dict:
    """A notebook without times, paths and addresses; what papermill injected stands in the `parameters` cell, tags
    stay.
    """
    kept = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    injected = [c["source"] for c in notebook["cells"] if "injected-parameters" in c["metadata"].get("tags", [])]
    cells = []
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags", [])
        if "injected-parameters" in tags:
            continue
        cell = {**cell, "id": f"cell-{len(cells):03d}", "metadata": {"tags": tags} if tags else {}}
        if "parameters" in tags and injected:
            cell["source"] = "".join(injected[0]).replace("# Parameters\n", "").rstrip("\n")
        if cell["cell_type"] == "code":
            cell["outputs"] = [_cleaned_output(o) for o in cell["outputs"] if o.get("name") != "stderr"]
        cells.append(cell)
    for count, cell in enumerate((c for c in cells if c["cell_type"] == "code"), start=1):
        cell["execution_count"] = count
        for output in cell["outputs"]:
            if "execution_count" in output:
                output["execution_count"] = count
    return {"cells": cells, "metadata": kept, "nbformat": 4, "nbformat_minor": 5}


def with_headline(notebook: dict, headline: Path) -> dict:
    """Put what came out of this run on its first screen: into the output of the cell tagged `opening`, over an older
    run's.
    """
    if not headline.is_file():
        return notebook
    now = headline.read_text(encoding="utf-8")
    begins = now.split("**")[1]  # a run is told apart by its first words
    for cell in notebook["cells"]:
        if "opening" not in cell["metadata"].get("tags", []):
            continue
        for output in cell["outputs"]:
            if "text/markdown" in output.get("data", {}):
                text = "".join(output["data"]["text/markdown"])
                blocks = [block for block in text.split("\n\n") if not block.startswith(f"**{begins}**")]
                output["data"]["text/markdown"] = "\n\n".join([*blocks[:2], now, *blocks[2:]])
    return notebook


def _cleaned_output(output: dict) -> dict:
    def clean(value):
        if isinstance(value, str):
            return ADDRESS.sub(r"\1\2", value)
        return [clean(v) for v in value] if isinstance(value, list) else value

    found = dict(output)
    if "text" in found:
        found["text"] = clean(found["text"])
    if "data" in found:
        found["data"] = {k: v if k.startswith("image/") else clean(v) for k, v in found["data"].items()}
    found.pop("metadata", None)
    if found["output_type"] in ("display_data", "execute_result"):
        found["metadata"] = {}
    return found


def add_inputs(path: Path, inputs: str) -> None:
    """Say in provenance.json what the report was made from; the file exists only if the notebook came to its end."""
    if not path.exists():
        raise ReportError("the notebook ended without study.close(); its last cell must call it")
    content = json.loads(path.read_text()) | {"inputs": inputs}
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def render(notebook: Path) -> None:
    """Write the notebook as one HTML file beside it, offline."""
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import TagRemovePreprocessor

    exporter = HTMLExporter(
        template_name="lab", embed_images=True, exclude_input_prompt=True, exclude_output_prompt=True
    )
    exporter.mathjax_url = ""  # offline: formulas stay as they are written
    exporter.register_preprocessor(
        TagRemovePreprocessor(remove_input_tags={"imports", "colab"}, enabled=True), enabled=True
    )
    body, _ = exporter.from_filename(str(notebook))
    notebook.with_suffix(".html").write_text(body, encoding="utf-8")


def refresh(study: str) -> Path:
    """Run the quick phantom report and take its outputs into the committed notebook. -> the notebook."""
    root = find_clone()
    began = time.perf_counter()
    folder = report(study, "phantom", "quick", 0)
    name = notebook_name(study, root)
    shutil.copyfile(folder / f"{name}.ipynb", root / "notebooks" / f"{name}.ipynb")
    colab.write(root)  # its cell and badge, numbered among the others
    print(f"notebooks/{name}.ipynb holds the outputs of phantom-quick ({time.perf_counter() - began:.0f} s)")
    return root / "notebooks" / f"{name}.ipynb"
