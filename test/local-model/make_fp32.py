"""Puts the published weights of all-MiniLM-L6-v2 into the graph of the int8 model, in the place of its own.

Usage: make_fp32.py FOLDER   (reads model.onnx and model.safetensors there, writes fp32.onnx)
The int8 model turns each of its weights into floats with a Cast and a Mul, which are taken out. A weight of
which nobody can say where it belongs ends the script, as does one that is not there.
"""

import os
import sys

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors_file import read_safetensors

PREFIX = "inner."


def name_weights(graph: onnx.GraphProto) -> dict[str, str]:
    """The published name of each result of a Cast and a Mul: its own, or that of the bias added to its MatMul."""
    casts = {node.output[0] for node in graph.node if node.op_type == "Cast" and node.input[0].endswith("_q")}
    results = {node.output[0] for node in graph.node if node.op_type == "Mul" and node.input[0] in casts}
    names = {result: result.removeprefix(PREFIX) for result in results if result.startswith(PREFIX)}
    products = {
        node.output[0]: node.input[1] for node in graph.node if node.op_type == "MatMul" and node.input[1] in results
    }
    for node in graph.node:
        if node.op_type != "Add":
            continue
        for product, bias in (tuple(node.input), tuple(reversed(node.input))):
            if product in products and bias.endswith(".bias"):
                names[products[product]] = bias.removeprefix(PREFIX).removesuffix("bias") + "weight"
    if set(names) != results:
        sys.exit(f"make_fp32: no published name for {sorted(results - set(names))}")
    return names


def make_fp32(folder: str) -> None:
    model = onnx.load(os.path.join(folder, "model.onnx"))
    graph = model.graph
    published = read_safetensors(os.path.join(folder, "model.safetensors"))
    names = name_weights(graph)
    multiplied = {node.output[0] for node in graph.node if node.output[0] in names}
    factors = {name for node in graph.node if node.output[0] in multiplied for name in node.input}
    kept = [node for node in graph.node if not {node.output[0]} & (multiplied | factors)]
    used = {name for node in kept for name in node.input}
    initializers = []
    for each in graph.initializer:
        if each.name not in used:
            continue
        own = published.get(each.name.removeprefix(PREFIX))
        initializers.append(each if own is None else numpy_helper.from_array(own, each.name))
    for result, name in sorted(names.items()):
        values = published[name]
        is_dense = not result.startswith(PREFIX)
        initializers.append(numpy_helper.from_array(np.ascontiguousarray(values.T if is_dense else values), result))
    del graph.node[:]
    graph.node.extend(kept)
    del graph.initializer[:]
    graph.initializer.extend(initializers)
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(folder, "fp32.onnx"))


make_fp32(sys.argv[1])
