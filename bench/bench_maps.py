"""What maps cost over a plain forward pass on this machine, paired and interleaved; nothing is passed or failed."""

import torch
import torchvision

from studylib.cam import explain, prepare
from studylib.study import cost

SEVEN = ("cam", "gradcam", "gradcam++", "hirescam", "layercam", "xgradcam", "crm")
LAYERS = ("layer2", "layer3", "layer4")
IMAGES, SIZE, ROUNDS = 16, 224, 7
MODELS = ("resnet18", "resnet50")


def candidates(model: torch.nn.Module, images: torch.Tensor) -> dict:
    """What is timed against the plain forward of `model`, by the words that are printed."""
    ready, half = prepare(model), prepare(model, dtype=torch.bfloat16)
    return {
        "forward, prepared": lambda: forward(ready, images),
        "forward, prepared, bf16": lambda: forward(half, images),
        "seven maps, last layer": lambda: explain(model, images, SEVEN),
        "seven maps, last layer, prepared": lambda: explain(ready, images, SEVEN),
        "seven maps, three layers": lambda: explain(model, images, SEVEN, layers=LAYERS),
        "seven maps, three layers, prepared": lambda: explain(ready, images, SEVEN, layers=LAYERS),
    }


@torch.inference_mode()
def forward(model: torch.nn.Module, images: torch.Tensor) -> None:
    model(images)


def measure(name: str, images: torch.Tensor) -> None:
    """Print each ratio with its interval; random weights, since time does not depend on them."""
    model = getattr(torchvision.models, name)(weights=None).eval()
    for title, call in candidates(model, images).items():
        ratio = cost.ratio(call, lambda: forward(model, images), title, ROUNDS)
        print(f"{name}, {len(images)} x {images.shape[-1]}, {title}: {ratio}", flush=True)


if __name__ == "__main__":
    for name in MODELS:
        measure(name, torch.rand(IMAGES, 3, SIZE, SIZE))
