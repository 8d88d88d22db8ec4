"""What a fit is: every value that decides its weights, and a key made from them and from the code that reads them."""

from __future__ import annotations

import ast
import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from studylib.models.registry import module_of

BALANCES = ("", "weighted", "sampler", "focal", "adjusted")
LIBRARIES = ("torch", "torchvision", "lightning", "numpy")
# what cannot change weights: a table of names (the module a name stands for is hashed instead), the spec itself,
# whose values
# are hashed, and readers of what was trained
APART = (
    "studylib.models.registry",
    "studylib.training.spec",
    "studylib.training.result",
    "studylib.training.locks",
)


@dataclass(frozen=True)
class FitSpec:
    """One trained network, by value. `pixels` and `rows` are digests of the prepared images and of (row, part,
    label).
    """

    study: str
    dataset: str
    fingerprint: str  # of the data set on disk
    pixels: str  # of the array that the network sees
    rows: str  # of the split and of the labels it trains on
    arm: str  # the name in records and tables
    split: str
    fold: int
    seed: int
    model: str
    options: tuple[tuple[str, object], ...]  # sorted (name, value) pairs for the network
    image_size: int
    crop: str
    epochs: int
    warmup: int  # epochs before the gate is switched on
    batch_size: int = 32
    optimiser: str = "adam"
    learning_rate: float = 1e-3
    precision: str = "bf16"
    augment: bool = False  # whether training pictures are moved and tinted at random
    guide: float = 0.0  # weight of the penalty on evidence outside the masks of the examples
    balance: str = ""  # how training answers classes of unequal size: one of BALANCES
    weights: str = ""  # which file of pretrained weights the network begins from

    def to_dict(self) -> dict:
        """The values as JSON can hold them."""
        return asdict(self) | {"options": dict(self.options)}

    @property
    def code(self) -> str:
        """Digest of the code that turns these values into weights."""
        return code_digest(("studylib.training.fit", module_of(self.model)))

    @property
    def key(self) -> str:
        """Sixteen hex digits of the values, the library versions that matter, and the code; names of arms do not
        count.
        """
        values = {
            k: v for k, v in self.to_dict().items() if k not in ("study", "arm", "fingerprint", "dataset", "split")
        }
        text = json.dumps([values, {name: version(name) for name in LIBRARIES}, self.code], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def title(self) -> str:
        """How a progress line names this fit."""
        return f"{self.study} {self.arm} {self.split} fold {self.fold} seed {self.seed}"


def strip_docstrings(tree: ast.AST) -> ast.AST:
    """Remove every docstring, so that a better sentence retrains nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return tree


def imported(tree: ast.AST) -> set[str]:
    """Modules of studylib that this code imports anywhere."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith("studylib.")}


def source_file(module: str) -> Path | None:
    """The file of a module of studylib, or None where the name is a function or class in one; nothing is imported."""
    path = Path(__file__).resolve().parents[2].joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@cache
def code_digest(modules: tuple[str, ...]) -> str:
    """Hash of the syntax, without comments and docstrings, of modules and of all of ours that they import,
    transitively.
    """
    seen: dict[str, str] = {}
    queue = list(modules)
    while queue:
        module = queue.pop()
        if module in seen or module in APART:
            continue
        path = source_file(module)
        if path is None:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        queue += sorted(imported(tree))
        seen[module] = ast.dump(strip_docstrings(tree))
    return hashlib.sha256(json.dumps(sorted(seen.items())).encode()).hexdigest()[:16]
