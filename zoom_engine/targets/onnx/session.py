"""A session of ONNX Runtime that the caller has: it is run as it is, on whatever it runs, and gives no gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from zoom_engine.common.errors import TargetError, one_line
from zoom_engine.targets.entry import OneByOne
from zoom_engine.targets.loaders.black_box import hash_of_answers
from zoom_engine.targets.loaders.loaded_model import LoadedModel, Reading
from zoom_engine.targets.onnx.load import (
    METADATA_KEY,
    Runtime,
    answered,
    noted_in,
    output_among,
    picture_input,
    read_preprocessing,
    tells_scale,
)
from zoom_engine.targets.preprocessing import scale_is_assumed

CALLED = Path("the ONNX Runtime session")
"""What messages call it."""
KINDS: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}


@runtime_checkable
class OnnxSession(Protocol):
    """What is asked of an `onnxruntime.InferenceSession`."""

    def get_inputs(self) -> Any:
        """Return its inputs, each with a name, a type and a shape."""

    def get_outputs(self) -> Any:
        """Return its outputs, each with a name."""

    def get_modelmeta(self) -> Any:
        """Return the file's notes, with a name and a map."""

    def run(self, outputs: Any, inputs: Any, /) -> Any:
        """Return the outputs of these names for inputs by name."""


class SessionNetwork(nn.Module):
    """A module that asks a session; without gradients."""

    def __init__(self, runtime: Runtime, kind: type[np.generic]) -> None:
        """Keep what runs it, and the type of its input's numbers."""
        super().__init__()
        self.runtime, self.kind = runtime, kind

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for the network's input, float32."""
        return answered(self.runtime, x, self.kind)


def load_session(session: OnnxSession, how: Reading) -> LoadedModel:
    """Load a session of ONNX Runtime; its inputs say size, layout and type, notes of ours the task.

    Raises:
        TargetError: it does not take pictures, or has several outputs and none is chosen.
    """
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise TargetError(f"{CALLED} has {len(inputs)} inputs; a target takes one, the images")
    kind = KINDS.get(inputs[0].type)
    if kind is None:
        raise TargetError(f"{CALLED}: its input is of type {inputs[0].type}; images can be float or uint8")
    sides = [side if isinstance(side, int) and side > 0 else None for side in inputs[0].shape]
    image = picture_input(CALLED, str(inputs[0].name), kind, sides)
    output = output_among(CALLED, [str(one.name) for one in session.get_outputs()], how.output)
    about = session.get_modelmeta()
    noted = noted_in(CALLED, about.custom_metadata_map.get(METADATA_KEY))
    preprocessing = read_preprocessing(CALLED, noted, image, how.options)

    def run(x: NDArray[Any]) -> NDArray[Any]:
        try:
            return np.asarray(session.run([output], {image.name: x})[0])
        except Exception as error:  # onnxruntime's errors share no base class
            shape = "×".join(str(n) for n in x.shape[1:])
            raise TargetError(
                f"{CALLED} fails on an input of {shape} ({one_line(error)}): set preprocessing size to what it wants"
            ) from error

    asked = SessionNetwork(run, kind)
    network = OneByOne(asked) if image.batch == 1 else asked
    name = noted.name or str(about.graph_name) or "model"
    return LoadedModel(
        network=network,
        name=name,
        preprocessing=preprocessing,
        assumed=scale_is_assumed(how.options, told=tells_scale(noted, image)),
        task=noted.task,
        labels=noted.labels,
        output_chosen=True,
        differentiable=False,
        note="a session of ONNX Runtime, so there are no gradients: its file may have some",
        content_hash=hash_of_answers(network, name, preprocessing, how),
    )
