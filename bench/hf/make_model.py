"""Writes a model with random weights in Hugging Face's files: `make_model.py --shape decoder --out DIR`."""

import argparse
import json
import pathlib

import torch
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForCausalLM

SHAPES = {
    "decoder": (LlamaForCausalLM, LlamaConfig, dict(
        hidden_size=768, num_hidden_layers=12, num_attention_heads=12, num_key_value_heads=12, intermediate_size=2048,
        vocab_size=32000, max_position_embeddings=1024, tie_word_embeddings=False, pad_token_id=0)),
    "encoder": (BertForSequenceClassification, BertConfig, dict(
        hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072, vocab_size=30522,
        num_labels=2)),
}

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--shape", choices=SHAPES, required=True)
parser.add_argument("--out", required=True)
args = parser.parse_args()
torch.manual_seed(0)
model, config, fields = SHAPES[args.shape]
model(config(**fields)).save_pretrained(args.out)
# Rows are token ids, so the tokenizer is not used, but loading a model requires one.
vocab = {"[PAD]": 0, "[UNK]": 1}
tokenizer = {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": {"type": "WhitespaceSplit"},
             "post_processor": None, "decoder": None, "truncation": None, "padding": None,
             "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"}}
folder = pathlib.Path(args.out)
(folder / "tokenizer.json").write_text(json.dumps(tokenizer))
(folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": "[PAD]", "unk_token": "[UNK]", "model_max_length": 1024}))
