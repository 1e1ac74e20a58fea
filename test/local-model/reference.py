"""Embeds texts as sentence-transformers does with all-MiniLM-L6-v2: the reference of provider `local`.

Reads {"folder", "texts"} from standard input and prints the vectors as JSON. The tokenizer is the one of
Hugging Face, the weights are those that were published, and the network is written out here in numpy:
nothing is shared with what is compared, neither a runtime nor a graph.
"""

import json
import math
import os
import sys

import numpy as np
from safetensors_file import read_safetensors
from tokenizers import Tokenizer

LAYERS, HEADS, MAX_TOKENS = 6, 12, 256
erf = np.frompyfunc(math.erf, 1, 1)


def gelu(values: np.ndarray) -> np.ndarray:
    return values * 0.5 * (1.0 + erf(values / math.sqrt(2.0)).astype(np.float64))


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


class Bert:
    def __init__(self, tensors: dict[str, np.ndarray]) -> None:
        self.tensors = {name: values.astype(np.float64) for name, values in tensors.items()}

    def dense(self, name: str, states: np.ndarray) -> np.ndarray:
        return states @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]

    def norm(self, name: str, states: np.ndarray) -> np.ndarray:
        centred = states - states.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return scaled * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]

    def attend(self, name: str, states: np.ndarray) -> np.ndarray:
        tokens, width = states.shape
        heads = [
            self.dense(f"{name}.self.{part}", states).reshape(tokens, HEADS, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        ]
        query, key, value = heads
        weights = softmax(query @ key.transpose(0, 2, 1) / math.sqrt(width // HEADS))
        return (weights @ value).transpose(1, 0, 2).reshape(tokens, width)

    def states_of(self, ids: list[int]) -> np.ndarray:
        words, places, kinds = (
            self.tensors[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")
        )
        states = self.norm("embeddings.LayerNorm", words[ids] + places[: len(ids)] + kinds[0])
        for layer in range(LAYERS):
            at = f"encoder.layer.{layer}"
            attended = self.dense(f"{at}.attention.output.dense", self.attend(f"{at}.attention", states))
            states = self.norm(f"{at}.attention.output.LayerNorm", attended + states)
            inner = gelu(self.dense(f"{at}.intermediate.dense", states))
            states = self.norm(f"{at}.output.LayerNorm", self.dense(f"{at}.output.dense", inner) + states)
        return states


def embed(folder: str, texts: list[str]) -> list[list[float]]:
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    tokenizer.enable_truncation(max_length=MAX_TOKENS)
    tokenizer.no_padding()
    model = Bert(read_safetensors(os.path.join(folder, "model.safetensors")))
    vectors = []
    for text in texts:
        mean = model.states_of(tokenizer.encode(text).ids).mean(axis=0)
        vectors.append((mean / np.linalg.norm(mean)).tolist())
    return vectors


request = json.load(sys.stdin)
print(json.dumps(embed(request["folder"], request["texts"])))
