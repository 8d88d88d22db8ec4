"""FitSpec: what changes a key and what does not; the code digest reads syntax, not words."""

import ast
from dataclasses import replace

import pytest

from studylib.training import spec as spec_module
from studylib.training.spec import FitSpec, code_digest, imported, source_file, strip_docstrings

SPEC = FitSpec("02", "d", "f", "p", "r", "cam", "group", 0, 0, "brain", (("gate", "cam"),), 96, True, 4, 2)


@pytest.mark.parametrize("name", ["study", "arm", "split", "dataset", "fingerprint"])
def test_names_do_not_change_a_key(name):
    assert replace(SPEC, **{name: "another"}).key == SPEC.key


@pytest.mark.parametrize(
    ("name", "value"),
    [("pixels", "q"), ("rows", "s"), ("seed", 1), ("epochs", 5), ("warmup", 0), ("precision", "float32"),
     ("options", (("gate", "none"),)), ("learning_rate", 2e-3), ("model", "frozen_trunk")],
)  # fmt: skip
def test_every_value_that_decides_weights_changes_it(name, value):
    assert replace(SPEC, **{name: value}).key != SPEC.key


def test_comments_docstrings_and_layout_do_not_count():
    one = 'def f(x):\n    """Doc."""\n    return x + 1  # why\n'
    two = "def f(x):\n    return (x\n        + 1)\n"
    three = "def f(x):\n    return x + 2\n"
    digest = [ast.dump(strip_docstrings(ast.parse(text))) for text in (one, two, three)]
    assert digest[0] == digest[1] != digest[2]


def test_the_code_of_another_architecture_does_not_count():
    brain, trunk = (code_digest(("studylib.training.fit", f"studylib.models.{m}")) for m in ("brain", "backbones"))
    assert brain != trunk
    assert source_file("studylib.models.registry").name in {f"{m.split('.')[-1]}.py" for m in spec_module.APART}


def test_a_name_in_a_module_is_no_module():
    assert source_file("studylib.models.brain.BrainNet") is None
    assert source_file("studylib.models").name == "__init__.py"
    tree = ast.parse("import numpy\nfrom studylib.models.brain import brain_net\nimport studylib.cam")
    assert imported(tree) == {"studylib.models.brain", "studylib.models.brain.brain_net", "studylib.cam"}


def test_finding_a_digest_imports_no_lightning():
    import subprocess
    import sys

    code = "import sys; from studylib.training.spec import code_digest; code_digest(('studylib.training.fit',)); "
    subprocess.run(
        [sys.executable, "-c", code + "sys.exit('lightning' in sys.modules or 'torch' in sys.modules)"], check=True
    )
