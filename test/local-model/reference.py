"""Embeds texts with the tokenizers and onnxruntime of Python: the reference of provider `local`.

Reads {"folder", "precision", "texts"} from standard input and prints the vectors as JSON. With precision
fp32 the weights are first turned from int8 into floats, and stored beside the others as fp32.onnx.
"""

import json
import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from tokenizers import Tokenizer


def make_fp32(source: str, target: str) -> None:
    graph = onnx.load(source)
    constants = {each.name: numpy_helper.to_array(each) for each in graph.graph.initializer}
    kept = []
    for node in graph.graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in constants:
            kept.append(node)
            continue
        values, scale = constants[node.input[0]], constants[node.input[1]]
        zero = constants[node.input[2]] if len(node.input) > 2 else np.zeros_like(scale, dtype=np.int32)
        axis = next((each.i for each in node.attribute if each.name == "axis"), 1)
        shape = [1] * values.ndim
        if scale.ndim == 1:
            shape[axis] = -1
        floats = (values.astype(np.float32) - zero.astype(np.float32).reshape(shape)) * scale.reshape(shape)
        graph.graph.initializer.append(numpy_helper.from_array(floats.astype(np.float32), node.output[0]))
    del graph.graph.node[:]
    graph.graph.node.extend(kept)
    used = {name for node in kept for name in node.input}
    initializers = [each for each in graph.graph.initializer if each.name in used]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(initializers)
    onnx.save(graph, target)


def embed(model: str, tokenizer_file: str, texts: list[str]) -> np.ndarray:
    tokenizer = Tokenizer.from_file(tokenizer_file)
    tokenizer.enable_truncation(max_length=256)
    tokenizer.no_padding()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = {each.name for each in session.get_inputs()}
    vectors = []
    for text in texts:
        encoding = tokenizer.encode(text)
        ids = np.array([encoding.ids], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        states = session.run(None, {name: value for name, value in inputs.items() if name in names})[0]
        mean = states[0].mean(axis=0)
        vectors.append(mean / np.linalg.norm(mean))
    return np.array(vectors)


request = json.load(sys.stdin)
folder = request["folder"]
int8, fp32 = os.path.join(folder, "model.onnx"), os.path.join(folder, "fp32.onnx")
if request["precision"] == "fp32":
    make_fp32(int8, fp32)
chosen = fp32 if request["precision"] == "fp32" else int8
print(json.dumps(embed(chosen, os.path.join(folder, "tokenizer.json"), request["texts"]).tolist()))
