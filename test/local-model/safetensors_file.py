"""Reads weights in the format safetensors: a length, a header of JSON, and the numbers."""

import json

import numpy as np


def read_safetensors(path: str) -> dict[str, np.ndarray]:
    with open(path, "rb") as file:
        content = file.read()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    tensors = {}
    for name, each in header.items():
        if name == "__metadata__" or each["dtype"] != "F32":
            continue
        begin, end = each["data_offsets"]
        values = np.frombuffer(content[start + begin : start + end], dtype="<f4")
        tensors[name] = values.reshape(each["shape"])
    return tensors
