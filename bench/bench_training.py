"""Ratios of training steps on this machine, paired and interleaved; nothing is passed or failed."""

from studylib.training.memory import keep_buffers

keep_buffers()

from studylib.study import cost  # noqa: E402  (buffers are kept before torch is imported)
from studylib.training.precision import on_this_machine  # noqa: E402

SIZE = 128


def main() -> None:
    """Print each ratio with its interval."""
    none, cam = cost.training_step("brain", SIZE, gate="none"), cost.training_step("brain", SIZE, gate="cam")
    print("gate on over none:", cost.ratio(cam, none, "training step"))
    if on_this_machine("bf16") == "bf16":
        full = cost.training_step("brain", SIZE, "float32", gate="none")
        print("bf16 over float32:", cost.ratio(none, full, "training step"))
    else:
        print("bf16 over float32: not measured, this processor has no bf16")


if __name__ == "__main__":
    main()
