#!/usr/bin/env python3
"""Records what transformers computes on tiny checkpoints, for TransformersGoldensTest.

Makes a checkpoint of each architecture as its makers would (transformers itself writes config.json, the weights and
the tokenizer), with random weights, reads a text with its own tokenizer and writes beside it what came out: the ids
and the logits after some of them, computed in float32 from the weights as they are stored.

Needs Python 3.11 and: pip install torch==2.15.0 transformers==5.23.0
usage: transformers_goldens.py OUT_DIRECTORY
"""

import json
import os
import shutil
import sys

import tokenizers
import torch
import transformers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXT = (
    "<|system|>You are a careful clerk.<|end|>  In 1998, the café sold 1234 cups;\n\n"
    "nobody's counted since… naïve 東京 🙂 don't\t\tworry!  <|end|><|user|>Ça va?"
)
CORPUS = [
    "the quick brown fox jumps over the lazy dog and then the other dog looks at the fox",
    "a careful clerk counts the cups that the café sold since nobody else would worry about them",
    "You are the one that they are looking for, and there is nothing else to be said of it.",
]
SPECIALS = ["<s>", "<|end|>", "<|system|>", "<|user|>"]
VOCABULARY = 416
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
GPT_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_level(bos: bool) -> tokenizers.Tokenizer:
    """As Llama 3's and Qwen's: words by an expression, bytes as letters."""
    tokenizer = tokenizers.Tokenizer(models.BPE(ignore_merges=bos))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(GPT_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=340, initial_alphabet=alphabet))
    tokenizer.add_special_tokens(SPECIALS)
    tokenizer.add_tokens([tokenizers.AddedToken("café", normalized=False)])
    if bos:
        tokenizer.post_processor = processors.Sequence(
            [processors.ByteLevel(trim_offsets=False), begins_with_bos(tokenizer)]
        )
    return tokenizer


def sentence_piece(prefix: bool, strips: bool = False) -> tokenizers.Tokenizer:
    """As Gemma's, or with a space before each text as Llama 2's and Phi 3's: bytes where no piece fits.

    Phi 3's special tokens take the white space behind them; here one takes what is before it too.
    """
    tokenizer = tokenizers.Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    spaces = normalizers.Replace(" ", "▁")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), spaces]) if prefix else spaces
    if not prefix:
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    pieces = ["<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    # The bytes are special tokens to the trainer alone: what comes out is rebuilt without them.
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=340, special_tokens=pieces))
    trained = json.loads(tokenizer.to_str())
    trained["added_tokens"] = []
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(trained))
    tokenizer.add_special_tokens(
        [
            tokenizers.AddedToken(name, rstrip=strips and name != "<s>", lstrip=strips and name == "<|end|>")
            for name in ["<unk>", *SPECIALS]
        ]
    )
    tokenizer.add_tokens([tokenizers.AddedToken("café", normalized=False)])
    tokenizer.post_processor = begins_with_bos(tokenizer)
    return tokenizer


def begins_with_bos(tokenizer: tokenizers.Tokenizer) -> processors.TemplateProcessing:
    return processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )


def rope(theta: float = 10000.0, **scaling) -> dict:
    return {"rope_theta": theta, "rope_type": "default", **scaling}


COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}


def cases() -> dict:
    """By name: configuration, stored type, tokenizer, bytes of a shard, keys of config.json written the old way."""
    llama3 = rope(
        rope_type="llama3",
        factor=8.0,
        low_freq_factor=1.0,
        high_freq_factor=4.0,
        original_max_position_embeddings=32,
    )
    yarn = rope(1000000.0, rope_type="yarn", factor=4.0, original_max_position_embeddings=64)
    return {
        "llama": (
            transformers.LlamaConfig(**COMMON, head_dim=16, rope_parameters=llama3, tie_word_embeddings=False),
            torch.float32,
            byte_level(bos=True),
            "40KB",
        ),
        "mistral": (
            transformers.MistralConfig(
                **COMMON, head_dim=8, rope_parameters=rope(), tie_word_embeddings=False, sliding_window=None
            ),
            torch.bfloat16,
            sentence_piece(prefix=True),
            "1GB",
        ),
        "qwen2": (
            transformers.Qwen2Config(**COMMON, rope_parameters=yarn, tie_word_embeddings=True),
            torch.float16,
            byte_level(bos=False),
            "1GB",
        ),
        "qwen3": (
            transformers.Qwen3Config(
                **COMMON, head_dim=16, rope_parameters=rope(1000000.0), tie_word_embeddings=False
            ),
            torch.bfloat16,
            byte_level(bos=False),
            "20KB",
        ),
        "qwen3moe": (
            transformers.Qwen3MoeConfig(
                **COMMON,
                head_dim=16,
                rope_parameters=rope(1000000.0),
                tie_word_embeddings=False,
                num_experts=4,
                num_experts_per_tok=2,
                moe_intermediate_size=16,
                norm_topk_prob=True,
            ),
            torch.bfloat16,
            byte_level(bos=False),
            "1GB",
        ),
        "gemma3": (
            transformers.Gemma3TextConfig(
                **{**COMMON, "num_hidden_layers": 6},
                head_dim=16,
                query_pre_attn_scalar=16,
                sliding_window=8,
                rope_parameters={
                    "full_attention": rope(1000000.0, rope_type="linear", factor=8.0),
                    "sliding_attention": rope(),
                },
            ),
            torch.bfloat16,
            sentence_piece(prefix=False),
            "1GB",
        ),
        "phi3": (
            transformers.Phi3Config(
                **COMMON,
                original_max_position_embeddings=32,  # the text is longer
                rope_parameters=rope(
                    rope_type="longrope",
                    partial_rotary_factor=0.75,
                    short_factor=[1.0, 1.1, 1.25],
                    long_factor=[1.5, 3.0, 7.5],
                ),
                tie_word_embeddings=False,
                sliding_window=24,
                pad_token_id=0,
            ),
            torch.bfloat16,
            sentence_piece(prefix=True, strips=True),
            "1GB",
        ),
    }


def randomise(model: torch.nn.Module) -> None:
    """Weights that make every tensor count: attention that picks, norms that are not 1, biases that are not 0."""
    generator = torch.Generator().manual_seed(20261121)
    for name, tensor in sorted(model.named_parameters()):
        noise = torch.randn(tensor.shape, generator=generator)
        if tensor.dim() == 1:
            around = tensor.data if "norm" in name else torch.zeros(tensor.shape)
            tensor.data = around + 0.3 * noise
        else:
            tensor.data = noise * (1.5 / tensor.shape[-1] ** 0.5)


def record(directory: str, config, stored: torch.dtype, tokenizer: tokenizers.Tokenizer, shard: str) -> None:
    config.bos_token_id = tokenizer.token_to_id("<s>")
    config.eos_token_id = tokenizer.token_to_id("<|end|>")
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    randomise(model)
    model = model.to(stored)
    model.tie_weights()
    model.save_pretrained(directory, max_shard_size=shard)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="<|end|>", chat_template=TEMPLATE
    )
    fast.save_pretrained(directory)
    # As stored, but in the arithmetic that Sojourn has: in float32 throughout.
    model = transformers.AutoModelForCausalLM.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    ids = tokenizer.encode(TEXT).ids
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0]
    assert torch.isfinite(logits).all() and max(ids) < VOCABULARY
    golden = {
        "recorded": f"torch {torch.__version__}, transformers {transformers.__version__}",
        "text": TEXT,
        "ids": ids,
        "logits": {
            str(at): [float(f"{logit:.6g}") for logit in logits[at].tolist()]
            for at in [*range(0, len(ids), 24), len(ids) - 1]
        },
    }
    with open(os.path.join(directory, "golden.json"), "w", encoding="utf-8") as out:
        json.dump(golden, out)
        out.write("\n")
    print(directory, len(ids), "tokens, deviation", f"{logits.std():.3g}")


def write_the_old_way(directory: str) -> None:
    """Rewrites config.json as transformers 4 did: rope_theta and rope_scaling beside the rest, lists of ends."""
    path = os.path.join(directory, "config.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    scaling = config.pop("rope_parameters")
    for key in ("rope_theta", "partial_rotary_factor"):
        if key in scaling:
            config[key] = scaling.pop(key)
    config["rope_scaling"] = None if scaling["rope_type"] == "default" else scaling
    config["torch_dtype"] = config.pop("dtype")
    config["eos_token_id"] = [config["eos_token_id"]]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)


def main() -> None:
    torch.set_num_threads(1)
    for name, case in cases().items():
        directory = os.path.join(sys.argv[1], name)
        shutil.rmtree(directory, ignore_errors=True)
        record(directory, *case)
        if name in ("qwen2", "phi3"):
            write_the_old_way(directory)


if __name__ == "__main__":
    main()
