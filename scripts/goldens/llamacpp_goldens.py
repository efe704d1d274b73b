#!/usr/bin/env python3
"""Records what llama.cpp computes on tiny models, for LlamaCppGoldensTest.

Feeds each model of a directory a fixed sequence of tokens, and writes beside it what came out: the best logits after
every token, all logits at the edges of pages, and a greedy continuation with the distance between the two best tokens.
A model that is there is read and never written, so that a new record is of the same file. Models of OTHERS that are
not there are made first, with gguf's writer.

llama.cpp rounds activations before it multiplies them with weights that are not F32, so the same is recorded again
("exact") for a copy of the model whose weights are expanded to F32: there only the order of summation can differ.

Needs Python 3.11 and: pip install numpy gguf==0.19.0 llama-cpp-python==0.3.36
usage: llamacpp_goldens.py DIRECTORY
"""

import ctypes
import glob
import os
import struct
import sys
import tempfile

import gguf
import llama_cpp
import numpy as np

TOKENS = 48  # three pages of 16
GREEDY = 24
FULL = (0, 15, 16, 47)  # positions whose logits are written in full
VOCABULARY = 800
# Whatever the type, the comparison with the weights as F32 is what proves the architecture.
OTHERS = {
    # Seven layers: with a pattern of six the sixth sees all positions; the others see fewer than there are tokens.
    "gemma3": {"layers": 7, "dim": 32, "ffn": 64, "heads": 4, "kv": 2, "head_dim": 16, "window": 20},
    # llama.cpp looks GELU up in a table of halves; without a feed-forward all else can be compared exactly.
    "gemma3-mute": {"layers": 7, "dim": 32, "ffn": 32, "heads": 4, "kv": 2, "head_dim": 16, "window": 20, "mute": 1},
    "qwen3moe": {"layers": 2, "dim": 32, "ffn": 32, "heads": 4, "kv": 2, "head_dim": 16, "experts": 8, "used": 3},
    # The context that the script asks of llama.cpp, 128, is beyond this one: long factors.
    "phi3": {"layers": 2, "dim": 32, "ffn": 64, "heads": 2, "kv": 1, "head_dim": 16, "original": 64},
    "phi3-short": {"layers": 2, "dim": 32, "ffn": 64, "heads": 2, "kv": 1, "head_dim": 16, "original": 256},
    # Rotations' frequencies are divided by a factor each, as in Llama 3.1.
    "llama-freqs": {"layers": 2, "dim": 32, "ffn": 64, "heads": 2, "kv": 1, "head_dim": 32},
    # Of 16 rotations the first two are kept, the last ten stretched, and those between a little of both.
    "qwen3-yarn": {"layers": 2, "dim": 32, "ffn": 64, "heads": 2, "kv": 1, "head_dim": 32, "original": 1024},
}
SPLIT = {"phi3": 6}  # also in parts of so many tensors, by gguf's writer


def versions() -> str:
    library = os.path.join(os.path.dirname(llama_cpp.__file__), "lib", "libggml-base.so")
    ggml = ctypes.CDLL(library)
    ggml.ggml_commit.restype = ggml.ggml_version.restype = ctypes.c_char_p
    features = llama_cpp.llama_print_system_info().decode().strip(" |").replace(" = 1", "").replace(" |", "")
    return (
        f"llama-cpp-python {llama_cpp.__version__}, ggml {ggml.ggml_version().decode()}, "
        f"commit {ggml.ggml_commit().decode()}; {features}"
    )


def without_repacking() -> llama_cpp.llama_model_params:
    """Keeps weights as they are in the file: for repacked ones AMX is used, which not every kernel permits."""
    parameters = DEFAULT_PARAMETERS()
    parameters.use_extra_bufts = False
    return parameters


DEFAULT_PARAMETERS = llama_cpp.llama_model_default_params
llama_cpp.llama_cpp.llama_model_default_params = without_repacking


def model(path: str) -> llama_cpp.Llama:
    # KV in f32, which is the default neither there nor here, and attention step by step: what differs is then
    # arithmetic alone.
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


def other(path: str, name: str, shape: dict, tensors_of_a_part: int = 0) -> None:
    """Writes a model of random weights, F16 but for vectors and the router; in one file, or in parts."""
    arch = name.split("-")[0]
    random = np.random.default_rng(20261121)
    writer = gguf.GGUFWriter(path, arch, split_max_tensors=tensors_of_a_part)
    width, head, heads, kv = shape["dim"], shape["head_dim"], shape["heads"], shape["kv"]
    writer.add_context_length(4096 if "yarn" in name else 256)
    writer.add_embedding_length(width)
    writer.add_block_count(shape["layers"])
    writer.add_feed_forward_length(shape["ffn"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1_000_000.0)
    if arch == "gemma3":
        writer.add_sliding_window(shape["window"])
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(8.0)
    if arch == "qwen3moe":
        writer.add_expert_count(shape["experts"])
        writer.add_expert_used_count(shape["used"])
        writer.add_expert_feed_forward_length(shape["ffn"])
    if arch == "phi3":
        writer.add_rope_scaling_orig_ctx_len(shape["original"])
        writer.add_rope_scaling_attn_factors(1.19)
    if "yarn" in name:
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(4.0)
        writer.add_rope_scaling_orig_ctx_len(shape["original"])
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    texts = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]
    texts += [f"t{i}" for i in range(len(texts), VOCABULARY)]
    writer.add_token_list(texts)
    writer.add_token_scores([-float(i) for i in range(VOCABULARY)])
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * (VOCABULARY - 259))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)

    def vector(tensor: str, length: int, around: float) -> None:
        writer.add_tensor(tensor + ".weight", (around + 0.2 * random.standard_normal(length)).astype(np.float32))

    def matrix(tensor: str, *shape_of: int, spread: float = 1.0) -> None:
        data = (spread * random.standard_normal(shape_of) / np.sqrt(shape_of[-1])).astype(np.float32)
        kind = gguf.GGMLQuantizationType.F32 if "gate_inp" in tensor else gguf.GGMLQuantizationType.F16
        writer.add_tensor(tensor + ".weight", gguf.quantize(data, kind), raw_dtype=kind)

    matrix("token_embd", VOCABULARY, width)
    vector("output_norm", width, 1)
    if arch == "phi3":
        vector("rope_factors_long", head // 2, 3)
        vector("rope_factors_short", head // 2, 2)
    if "freqs" in name:
        writer.add_tensor("rope_freqs.weight", np.linspace(1, 8, head // 2, dtype=np.float32))
    if arch != "gemma3":
        matrix("output", VOCABULARY, width)
    for i in range(shape["layers"]):
        block = f"blk.{i}."
        vector(block + "attn_norm", width, 1)
        vector(block + "ffn_norm", width, 1)
        matrix(block + "attn_output", width, heads * head)
        if arch == "phi3":
            matrix(block + "attn_qkv", (heads + 2 * kv) * head, width)
            matrix(block + "ffn_up", 2 * shape["ffn"], width)
            matrix(block + "ffn_down", width, shape["ffn"])
            continue
        matrix(block + "attn_q", heads * head, width)
        matrix(block + "attn_k", kv * head, width)
        matrix(block + "attn_v", kv * head, width)
        if arch != "llama":
            vector(block + "attn_q_norm", head, 1.5)
            vector(block + "attn_k_norm", head, 1.5)
        if arch == "gemma3":
            vector(block + "post_attention_norm", width, 1)
            vector(block + "post_ffw_norm", width, 1)
        if "experts" not in shape:
            matrix(block + "ffn_gate", shape["ffn"], width)
            matrix(block + "ffn_up", shape["ffn"], width)
            matrix(block + "ffn_down", width, shape["ffn"], spread=0.0 if "mute" in shape else 1.0)
        else:
            matrix(block + "ffn_gate_inp", shape["experts"], width)
            matrix(block + "ffn_gate_exps", shape["experts"], shape["ffn"], width)
            matrix(block + "ffn_up_exps", shape["experts"], shape["ffn"], width)
            matrix(block + "ffn_down_exps", shape["experts"], width, shape["ffn"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


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


def record_beside(path: str) -> None:
    with open(path.removesuffix(".gguf") + ".golden", "w", encoding="ascii") as out:
        record(path, out)


def main() -> None:
    [directory] = sys.argv[1:]
    for name, shape in OTHERS.items():
        path = os.path.join(directory, f"{name}-f16.gguf")
        if not os.path.exists(path):
            other(path, name, shape)
    for name, tensors in SPLIT.items():
        path = os.path.join(directory, f"{name}-f16.gguf")
        parts = path.removesuffix(".gguf") + "-00001-of-*.gguf"
        if not glob.glob(parts):
            other(path, name, OTHERS[name], tensors)
        [first] = glob.glob(parts)
        assert np.array_equal(prompt_logits(model(first), [1, 2, 3]), prompt_logits(model(path), [1, 2, 3]))
    for path in sorted(glob.glob(os.path.join(directory, "*.gguf"))):
        if "-of-" not in os.path.basename(path):
            record_beside(path)


if __name__ == "__main__":
    main()
