#!/usr/bin/env python3
"""Records what llama.cpp computes on tiny models, for LlamaCppGoldensTest.

Makes a model of each architecture and tensor type with make_gguf.py (given as an argument), feeds it a fixed
sequence of tokens, and writes beside each model what came out: the best logits after every token, all logits at
the edges of pages, and a greedy continuation with the distance between the two best tokens.

llama.cpp rounds activations before it multiplies them with weights that are not F32, so the same is recorded again
("exact") for a copy of the model whose weights are expanded to F32: there only the order of summation can differ.

Needs Python 3.11 and: pip install numpy gguf==0.19.0 llama-cpp-python==0.3.36
usage: llamacpp_goldens.py MAKE_GGUF.py OUT_DIRECTORY
"""

import ctypes
import glob
import os
import struct
import subprocess
import sys
import tempfile

import gguf
import llama_cpp
import numpy as np

TOKENS = 48  # three pages of 16
GREEDY = 24
FULL = (0, 15, 16, 47)  # positions whose logits are written in full
VOCABULARY = 800
# Shapes differ so that grouped heads, a single KV head, and heads wider than dim / heads are all met.
SHAPES = {
    "llama": ["--ffn", "96", "--heads", "4", "--kv", "2"],
    "qwen2": ["--ffn", "96", "--heads", "4", "--kv", "1"],
    "qwen3": ["--ffn", "64", "--heads", "4", "--kv", "2", "--head_dim", "32"],
}
TYPES = ["f32", "f16", "q8_0", "q4_0"]


def versions() -> str:
    library = os.path.join(os.path.dirname(llama_cpp.__file__), "lib", "libggml-base.so")
    ggml = ctypes.CDLL(library)
    ggml.ggml_commit.restype = ggml.ggml_version.restype = ctypes.c_char_p
    features = llama_cpp.llama_print_system_info().decode().strip(" |").replace(" = 1", "").replace(" |", "")
    return (
        f"llama-cpp-python {llama_cpp.__version__}, ggml {ggml.ggml_version().decode()}, "
        f"commit {ggml.ggml_commit().decode()}; {features}"
    )


def model(path: str) -> llama_cpp.Llama:
    # KV in f32, as ours is by default, and attention step by step: what differs is then arithmetic alone.
    return llama_cpp.Llama(
        path, n_ctx=128, n_threads=1, logits_all=True, type_k=0, type_v=0, flash_attn=False, verbose=False
    )


def expand(path: str, copy: str) -> None:
    """Writes a copy of a model with all tensors as F32."""
    reader = gguf.GGUFReader(path)
    header = bytearray(reader.data[: min(tensor.field.offset for tensor in reader.tensors)].tobytes())
    data = bytearray()
    for tensor in reader.tensors:
        name = tensor.name.encode()
        header += struct.pack("<Q", len(name)) + name + struct.pack("<I", len(tensor.shape))
        header += b"".join(struct.pack("<Q", int(d)) for d in tensor.shape) + struct.pack("<IQ", 0, len(data))
        data += gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32).tobytes()
        data += bytes(-len(data) % 32)
    with open(copy, "wb") as out:
        out.write(header + bytes(-len(header) % 32) + data)


def numbers(values) -> str:
    return " ".join(f"{v:.6g}" for v in values)


def prompt_logits(llama: llama_cpp.Llama, tokens: list[int]) -> np.ndarray:
    llama.eval(tokens)
    logits = np.array(llama.scores[: len(tokens)], dtype=np.float32)
    assert logits.shape == (len(tokens), VOCABULARY) and np.isfinite(logits).all()
    return logits


def write_logits(prefix: str, logits: np.ndarray, out) -> None:
    for position in range(len(logits)):
        best = np.argsort(-logits[position], kind="stable")[:4]
        print(prefix + "best", position, *(f"{i}:{logits[position][i]:.6g}" for i in best), file=out)
    for position in FULL:
        print(prefix + "logits", position, numbers(logits[position]), file=out)


def record(path: str, out) -> None:
    tokens = [(11 + 37 * i + 5 * i * i) % VOCABULARY for i in range(TOKENS)]
    print("recorded", versions(), file=out)
    print("tokens", *tokens, file=out)
    with tempfile.TemporaryDirectory() as directory:
        copy = os.path.join(directory, "f32.gguf")
        expand(path, copy)
        exact = model(copy)
        write_logits("exact-", prompt_logits(exact, tokens), out)
        exact.close()
    llama = model(path)
    logits = prompt_logits(llama, tokens)
    write_logits("", logits, out)
    last = logits[-1]
    for _ in range(GREEDY):
        first, second = np.argsort(-last, kind="stable")[:2]
        print("greedy", first, f"{last[first] - last[second]:.6g}", file=out)
        llama.eval([int(first)])
        last = np.array(llama.scores[llama.n_tokens - 1], dtype=np.float32)
    llama.close()


def main() -> None:
    make_gguf, directory = sys.argv[1:]
    os.makedirs(directory, exist_ok=True)
    for stale in glob.glob(os.path.join(directory, "*.gguf")) + glob.glob(os.path.join(directory, "*.golden")):
        os.remove(stale)
    for architecture, shape in SHAPES.items():
        for kind in TYPES:
            path = os.path.join(directory, f"{architecture}-{kind}.gguf")
            common = ["--layers", "2", "--dim", "64", "--vocab", str(VOCABULARY), "--ctx", "256"]
            subprocess.run(
                [sys.executable, make_gguf, path, "--arch", architecture, "--type", kind, *common, *shape], check=True
            )
            with open(path.removesuffix(".gguf") + ".golden", "w", encoding="ascii") as out:
                record(path, out)


if __name__ == "__main__":
    main()
