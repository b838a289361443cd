"""ONNX files from others: values of functions count, and ends are renamed wherever they are named."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from zoom_engine.common.errors import ZoomError
from zoom_engine.common.files.onnx_file import AT_HAND, check_onnx_model, name_ends, value_sizes

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


@pytest.mark.parametrize("version", [13, 17])
def test_values_of_a_function_count_as_often_as_it_is_called(version: int) -> None:
    opsets = [helper.make_opsetid("", version), helper.make_opsetid("other", 1)]
    nodes = [node("Concat", ["a", "a"], ["b"], axis=3), node("Neg", ["b"], ["c"])]
    function = helper.make_function("own", "twice", ["a"], ["c"], nodes, opsets)
    graph = helper.make_graph(
        [node("twice", ["x"], ["v"], domain="own"), node("twice", ["v"], ["y"], domain="own")],
        "g",
        [info("x", TensorProto.FLOAT, ["b", 3, 8, 8])],
        [info("y", TensorProto.FLOAT, ["b", 3, 8, 32])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, opset_imports=opsets, functions=[function], ir_version=8)
    checked, _ = check_onnx_model(AT_HAND, model, refusal=ZoomError)
    assert checked == model
    assert sum(value_sizes(AT_HAND, model, ZoomError).values()) == 192 * (1 + 2 + 2 + 4 + 4)
