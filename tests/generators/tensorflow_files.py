"""Pickles as NVIDIA's TensorFlow releases write them, built from a `Literal` generator.

``dnnlib.tflib.Network.__getstate__`` gives the version (4 in stylegan2, 5 in stylegan2-ada), the name, the arguments,
the component networks, the source code, and (name, value) pairs of its own variables. A value is what TensorFlow's
``Session.run`` returned: an array, but a ``numpy.float32`` scalar where the variable has no dimensions.
"""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
from checkpoint_files import SOURCE, Network, fake_modules, whole_where_it_can_be
from literal_stylegan2 import Literal
from torch import Tensor

Variables = list[tuple[str, Any]]


def tensorflow_bytes(
    g: Literal, *, protocol: int = 4, version: int = 4, returned: dict[str, Any] | None = None, **arguments: Any
) -> bytes:
    """The triple (G, D, Gs) of the TensorFlow releases; only Gs has the wanted weights.

    `returned`: values of Gs's variables in place of the literal's; other arguments are Gs's own (``static_kwargs``).
    """
    with fake_modules():
        return pickle.dumps(tensorflow_networks(g, version=version, returned=returned, **arguments), protocol=protocol)


def tensorflow_networks(
    g: Literal, *, version: int, returned: dict[str, Any] | None = None, **arguments: Any
) -> tuple[Network, Network, Network]:
    """What `tensorflow_bytes` pickles."""
    other = Literal(resolution=8, channels=(4, 4), seed=99)
    judge = _network(version, "D", [("lod", np.float32(0)), ("8x8/Conv0/weight", np.ones((3, 3, 4, 4), "f4"))])
    average = _generator(g, version, "Gs", arguments, returned or {})
    return _generator(other, version, "G", {}, {}), judge, average


def _network(version: int, name: str, variables: Variables, function: str = "D_main", **more: Any) -> Network:
    state: dict[str, Any] = {"version": version, "name": name, "static_kwargs": {}, "components": {}}
    state |= {"build_module_src": SOURCE, "build_func_name": function, "variables": variables}
    if version >= 5:
        state |= {"input_shapes": [[None, 512], [None, 0]], "output_shapes": [[None, 3, 8, 8]]}
        state |= {"input_names": ["latents_in", "labels_in"], "output_names": ["images_out"]}
    return Network(**(state | more))


def _returned(value: Tensor) -> Any:
    """What a session returns of a variable."""
    return value.numpy().copy()[()]  # indexing by () leaves arrays as they are and makes a scalar of a 0-d array


def _generator(g: Literal, version: int, name: str, arguments: dict[str, Any], returned: dict[str, Any]) -> Network:
    known: dict[str, Any] = {"num_channels": 3, "resolution": g.resolution, "label_size": g.c_dim, "fmap_base": 16384}
    known |= {"architecture": g.architecture} if g.architecture != "skip" else {}
    known |= {"conv_clamp": whole_where_it_can_be(g.conv_clamp)} if g.conv_clamp else {}
    known |= arguments

    def replaced(variables: Variables) -> Variables:
        return [(name, returned.get(name, value)) for name, value in variables]

    lod: Variables = [("lod", np.float32(0))] if version == 4 else []
    synthesis = "G_synthesis_stylegan2" if version == 4 else "G_synthesis"
    mapping_arguments = {"dlatent_broadcast": 2 * len(g.channels), **known}
    return _network(
        version,
        name,
        replaced([*lod, ("dlatent_avg", _returned(g.p["mapping.w_avg"]))]),
        "G_main",
        static_kwargs=known,
        components={
            "synthesis": _network(version, "G_synthesis", replaced(_synthesis(g)), synthesis, static_kwargs=known),
            "mapping": _network(
                version, "G_mapping", replaced(_mapping(g)), "G_mapping", static_kwargs=mapping_arguments
            ),
        },
    )


def _mapping(g: Literal) -> Variables:
    variables: Variables = []
    layers = [(f"Dense{i}", f"mapping.fc{i}") for i in range(g.mapping_layers)]
    for layer_name, name in layers + [("LabelEmbed", "mapping.embed")] * bool(g.c_dim):
        variables.append((f"{layer_name}/weight", _returned(g.p[f"{name}.weight"].T)))
        variables.append((f"{layer_name}/bias", _returned(g.p[f"{name}.bias"])))
    return variables


def _synthesis(g: Literal) -> Variables:
    variables: Variables = []

    def conv(scope: str, name: str, *, gained: bool, flip: bool = False) -> None:
        weight = g.p[f"{name}.weight"]
        if not gained:  # TensorFlow multiplies by 1/√fan-in where NVIDIA's PyTorch code leaves it to demodulation
            weight = weight * math.sqrt(math.prod(weight.shape[1:]))
        weight = weight.permute(2, 3, 1, 0)
        variables.append((f"{scope}/weight", _returned((weight.flip(0, 1) if flip else weight).contiguous())))
        if f"{name}.affine.weight" in g.p:
            variables.append((f"{scope}/mod_weight", _returned(g.p[f"{name}.affine.weight"].T)))
            variables.append((f"{scope}/mod_bias", _returned(g.p[f"{name}.affine.bias"] - 1)))
            variables.append((f"{scope}/bias", _returned(g.p[f"{name}.bias"])))

    variables.append(("4x4/Const/const", _returned(g.p["synthesis.b4.const"][None])))
    noise = 0
    for resolution in (4 << i for i in range(len(g.channels))):
        scope, name = f"{resolution}x{resolution}", f"synthesis.b{resolution}"
        for part, layer_name in (("conv0", "Conv0_up"), ("conv1", "Conv" if resolution == 4 else "Conv1")):
            if f"{name}.{part}.weight" in g.p:
                conv(f"{scope}/{layer_name}", f"{name}.{part}", gained=False, flip=part == "conv0")
                variables.append(
                    (f"{scope}/{layer_name}/noise_strength", _returned(g.p[f"{name}.{part}.noise_strength"]))
                )
                variables.append((f"noise{noise}", _returned(g.p[f"{name}.{part}.noise_const"][None, None])))
                noise += 1
        if f"{name}.skip.weight" in g.p:
            conv(f"{scope}/Skip", f"{name}.skip", gained=True)
        if f"{name}.torgb.weight" in g.p:
            conv(f"{scope}/ToRGB", f"{name}.torgb", gained=True)
    return variables
