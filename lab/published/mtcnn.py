"""The last network of MTCNN (Zhang 2016), of facenet-pytorch's weights, as ONNX: five points of a face."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from zoom_engine.common.errors import TargetError, one_line
from zoom_engine.targets import KeypointsTask, Preprocessing, Target
from zoom_engine.targets.onnx.write import target_model

SIDE = 48
POINTS = ("left eye", "right eye", "nose tip", "mouth left", "mouth right")
TASK = KeypointsTask(order="axes", points=POINTS, between=(0, 1))


class _Points(nn.Module):
    """From faces `[B, 3, 48, 48]` of about [-1, 1] to x of five points and then their y, as shares of the picture."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 64, 128)
        for number, (narrow, wide) in enumerate(pairwise(widths), 1):
            self.add_module(f"conv{number}", nn.Conv2d(narrow, wide, 2 if number == 4 else 3))
            self.add_module(f"prelu{number}", nn.PReLU(wide))
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_3 = nn.Linear(256, 10)

    def forward(self, x: Tensor) -> Tensor:
        for number in range(1, 5):
            x = self.get_submodule(f"prelu{number}")(self.get_submodule(f"conv{number}")(x))
            if number < 4:
                x = nn.functional.max_pool2d(x, 2 if number == 3 else 3, 2, ceil_mode=True)
        points: Tensor = self.dense6_3(self.prelu5(self.dense5(x.permute(0, 3, 2, 1).flatten(1))))
        return points


def face_points(path: Path) -> onnx.ModelProto:
    """Return the network whose weights, as tensors alone, are in the file.

    Raises:
        TargetError: they are of another network.
    """
    network = _Points().eval()
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict({name: stored[name] for name in network.state_dict()})
    except Exception as error:  # torch.load raises anything
        raise TargetError(f"{path} has not the weights of MTCNN's last network ({one_line(error)})") from error
    target = Target(network, name="MTCNN", task=TASK, preprocessing=Preprocessing(size=SIDE))
    return target_model(target)
