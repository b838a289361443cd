"""Edits are added to codes in one place for each way to compute: torch, each extension, ONNX graphs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import torch
from networks import spread_generator

import zoom_engine
from zoom_engine.runtime.graphs import synthesis_model

PACKAGE = Path(zoom_engine.__file__).parent


def functions(word: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function of the package's files that have a word in them, with its file and name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)) if word in source else ():
            if isinstance(node, ast.FunctionDef):
                yield f"{path.relative_to(PACKAGE)}:{node.name}", node


def adds_edits(node: ast.AST) -> bool:
    """``… + … @ directions``, in whatever order and by whatever names; the gradient's product is by their transpose."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add):
        return False
    products = [side for side in (node.left, node.right) if isinstance(side, ast.BinOp)]
    factors = [ast.unparse(product.right) for product in products if isinstance(product.op, ast.MatMult)]
    return any("directions" in factor and not factor.endswith(".t()") for factor in factors)


def test_torch_adds_edits_in_one_function() -> None:
    results = [name for name, node in functions("directions") if any(map(adds_edits, ast.walk(node)))]
    assert results == ["ops/modulation.py:edited"]


def test_each_extension_is_given_edits_by_one_function() -> None:
    calls = {"modulation": "ops/modulated_conv.py:_modulated", "'modulate'": "ops/cuda.py:modulate"}
    for called, wanted in calls.items():
        results = [
            name
            for name, node in functions(called.strip("'"))
            for call in ast.walk(node)
            if isinstance(call, ast.Call) and called in (getattr(call.func, "attr", ""), *map(ast.unparse, call.args))
        ]
        assert results == [wanted]


def test_a_graph_adds_edits_in_one_node() -> None:
    network = spread_generator()
    for directions in (None, torch.randn(3, network.space.size)):
        model = synthesis_model(network, directions=directions)
        readers = [node.op_type for node in model.graph.node if {"edit_weights", "edit_directions"} & set(node.input)]
        assert len(readers) == 1
