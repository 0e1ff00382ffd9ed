"""The losses of some LoRA steps over a chat model whose base bitsandbytes has quantized, on the CPU: what bitsandbytes_losses.ts compares.

Everything is computed in float32. bitsandbytes' kernels for CPUs are kept from what changes numbers in silence: layers stay in
training mode, since evaluation repacks weights for a product in bfloat16, and a model is refused whose layers are so wide that
the decoder with AVX-512 is wrong (inputs that are no multiple of a block).
Run: python bitsandbytes_losses.py --model DIR --out FOLDER [--rows 2 --length 64 --steps 20]
"""

import argparse
import json
import pathlib
import random

import bitsandbytes
import peft
import torch
import transformers

from peft_losses import losses, rows_of

# What is compared: the options of BitsAndBytesConfig and of Attune's accelerator, and which share of the steps.
KINDS = {
    "nf4": ({"bnb_4bit_quant_type": "nf4"}, {"use": "nf4"}, 1.0),
    "nf4, double": ({"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True},
                    {"use": "nf4", "with": {"useDoubleQuant": True}}, 1.0),
    "fp4": ({"bnb_4bit_quant_type": "fp4"}, {"use": "fp4"}, 0.25),
}
BLOCK = 64


def quantized(path, options):
    config = transformers.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.float32, **options)
    model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, quantization_config=config)
    count = 0
    for name, module in model.named_modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            if module.in_features % BLOCK:
                raise SystemExit(f"{name} has {module.in_features} inputs: bitsandbytes decodes it wrongly on some CPUs")
            module.support_avx512bf16_for_cpu = False
            count += 1
    for p in model.parameters():
        p.requires_grad_(False)
    return model, count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rate", type=float, default=2e-4)
    args = parser.parse_args()
    torch.manual_seed(1)
    transformers.utils.logging.disable_progress_bar()
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
    rows = rows_of("text", args.rows * args.steps, random.Random(f"bitsandbytes {args.length}"), args.length)
    (args.out / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    adapter = args.out / "adapter"
    steps, kinds = args.steps, []
    for name, (options, accelerator, share) in KINDS.items():
        base, count = quantized(args.model, options)
        if not adapter.exists():
            config = peft.LoraConfig(
                task_type="CAUSAL_LM", r=8, lora_alpha=16, lora_dropout=0.0, target_modules=["q_proj", "v_proj"])
            model = peft.get_peft_model(base, config)
            model.save_pretrained(adapter)
        else:
            model = peft.PeftModel.from_pretrained(base, adapter, is_trainable=True)
        model.train()
        args.steps = max(1, round(steps * share))
        kinds.append({"name": name, "accelerator": accelerator, "quantized": count,
                      "losses": losses(args, model, rows, False, tokenizer)})
    versions = {m.__name__: m.__version__ for m in (torch, transformers, peft, bitsandbytes)}
    settings = {"rows": args.rows, "length": args.length, "steps": steps, "rate": args.rate}
    (args.out / "losses.json").write_text(json.dumps({"versions": versions, **settings, "kinds": kinds}))


if __name__ == "__main__":
    main()
