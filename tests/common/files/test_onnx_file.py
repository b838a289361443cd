"""ONNX files from others: their ends are renamed wherever they are named."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from zoom_engine.common.files.onnx_file import name_ends

node, info = helper.make_node, helper.make_tensor_value_info


def test_ends_that_a_branch_names_are_renamed_there_too() -> None:
    """Torch exports a squeeze of an open axis as a branch; here one of its own values has the new name, too."""
    branches = {
        f"{which}_branch": helper.make_graph(
            [node("Mul", ["given", factor], ["codes"]), node("Neg", ["codes"], [which])],
            which,
            [],
            [info(which, TensorProto.FLOAT, None)],
        )
        for which, factor in (("then", "two"), ("else", "three"))
    }
    constants = {"yes": np.array(True), "two": np.float32(2), "three": np.float32(3)}
    graph = helper.make_graph(
        [node("If", ["yes"], ["drawn"], **branches)],
        "g",
        [info("given", TensorProto.FLOAT, ["b", 4])],
        [info("drawn", TensorProto.FLOAT, ["b", 4])],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    name_ends(model, "codes", "images")
    onnx.checker.check_model(model, full_check=True)
    (images,) = ReferenceEvaluator(model).run(["images"], {"codes": np.ones((2, 4), np.float32)})
    np.testing.assert_array_equal(images, np.full((2, 4), -2, np.float32))
