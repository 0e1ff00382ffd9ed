"""Does training steps on rows of random token ids with PEFT on torch: JSON lines in, JSON lines out (see README)."""

import common  # First: it starts the clock.

import argparse
import json
import sys
import time

KINDS = ("lora", "lora-all", "dora", "ia3", "adalora", "vera", "ln-tuning", "prompt-tuning", "prefix-tuning", "p-tuning", "bitfit", "full")


def rows(count: int, length: int, vocab: int, chats: bool) -> list[list[int]]:
    """The same numbers as model_steps.ts draws: a linear congruence."""
    state, out = 12345, []

    def drawn() -> int:
        nonlocal state
        state = (state * 1103515245 + 12345) % 2147483648
        return state // 65536

    for _ in range(count):
        own = length // 2 + drawn() % (length + 1) if chats else length
        out.append([10 + drawn() % (vocab - 10) for _ in range(own)])
    return out


def adapted(model, kind: str, causal: bool):
    import peft

    task = dict(task_type="CAUSAL_LM" if causal else "SEQ_CLS")
    attention = ["q_proj", "v_proj"] if causal else ["query", "value"]
    r8 = dict(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=attention)
    forward = ["down_proj"] if causal else ["output.dense"]
    norms = ["input_layernorm", "post_attention_layernorm", "norm"] if causal else ["LayerNorm"]
    made = {
        "lora": lambda: peft.LoraConfig(**task, **r8),
        "lora-all": lambda: peft.LoraConfig(**task, r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear"),
        "dora": lambda: peft.LoraConfig(**task, **r8, use_dora=True),
        "ia3": lambda: peft.IA3Config(**task, target_modules=[*attention, *forward], feedforward_modules=forward),
        "adalora": lambda: peft.AdaLoraConfig(**task, target_r=8, init_r=12, total_step=1000, target_modules=attention),
        "vera": lambda: peft.VeraConfig(**task, target_modules=attention),
        "ln-tuning": lambda: peft.LNTuningConfig(target_modules=norms, **task),
        "prompt-tuning": lambda: peft.PromptTuningConfig(**task, num_virtual_tokens=8),
        "prefix-tuning": lambda: peft.PrefixTuningConfig(**task, num_virtual_tokens=8),
        "p-tuning": lambda: peft.PromptEncoderConfig(**task, num_virtual_tokens=8),
    }.get(kind)
    if made:
        return peft.get_peft_model(model, made())
    for name, p in model.named_parameters():
        p.requires_grad = kind == "full" or name.endswith("bias") or "classifier" in name
    return model


def quantized(args) -> dict:
    if not args.bitsandbytes:
        return {}
    import torch
    from transformers import BitsAndBytesConfig

    if args.bitsandbytes == "int8":
        return {"quantization_config": BitsAndBytesConfig(load_in_8bit=True)}
    four = dict(load_in_4bit=True, bnb_4bit_quant_type=args.bitsandbytes, bnb_4bit_compute_dtype=getattr(torch, args.dtype))
    return {"quantization_config": BitsAndBytesConfig(**four)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--adapter", choices=KINDS, default="lora")
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--chats", action="store_true", help="rows of half to one and a half times the length, of which the last two fifths are learned")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--bitsandbytes", choices=("nf4", "fp4", "int8"), help="the base in the library's codes")
    args = parser.parse_args()

    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    causal = AutoConfig.from_pretrained(args.model).model_type == "llama"
    auto = AutoModelForCausalLM if causal else AutoModelForSequenceClassification
    model = auto.from_pretrained(args.model, dtype=getattr(torch, args.dtype), attn_implementation="sdpa", **quantized(args))
    model.config.use_cache = False
    data = rows(args.rows, args.length, model.config.vocab_size, args.chats)
    if args.bitsandbytes:
        import peft

        model = peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    model = adapted(model, args.adapter, causal)
    if args.checkpointing:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
    say = lambda **message: print(json.dumps(message), flush=True)
    say(event="ready", name=f"peft {args.adapter}", rows=args.rows, lengths=[len(row) for row in data],
        startMs=1000 * (time.perf_counter() - common.START), environment=common.environment())
    for line in sys.stdin:
        command = json.loads(line)
        if command["cmd"] == "quit":
            break
        times, losses = [], []
        for batch in command["batches"]:
            start = time.perf_counter()
            width = max(len(data[i]) for i in batch)
            ids = torch.tensor([data[i] + [0] * (width - len(data[i])) for i in batch])
            mask = torch.tensor([[1] * len(data[i]) + [0] * (width - len(data[i])) for i in batch])
            if causal:
                asked = [3 * len(data[i]) // 5 if args.chats else 0 for i in batch]
                labels = torch.tensor([[-100] * n + data[i][n:] + [-100] * (width - len(data[i])) for i, n in zip(batch, asked)])
            else:
                labels = torch.tensor([i % 2 for i in batch])
            loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(float(loss.detach()))
            times.append(1000 * (time.perf_counter() - start))
        say(event="steps", ms=times, losses=losses, **common.memory())


main()
