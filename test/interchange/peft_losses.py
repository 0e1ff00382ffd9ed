"""Makes rows and an adapter for a chat model, and the losses of some LoRA steps on them with PEFT: what peft_losses.ts compares.

Tokens, labels and packed rows are made here by transformers' tokenizer and the rules of TRL's collators, not read from Attune.
Run: python peft_losses.py --model DIR --out FOLDER [--rows 2 --length 128 --steps 20] [--kind "completion packed"] [--double]
"""

import argparse
import json
import pathlib
import random

import peft
import torch
import transformers

WORDS = ("river stone lamp green seven walks under the an of light paper bridge slow winter apple reads quiet and turns "
         "north small glass copper why how often where bread is").split()
KINDS = {"all": "text", "assistant": "messages", "completion": "prompt"}


def sentence(r, least, most):
    return " ".join(r.choice(WORDS) for _ in range(r.randint(least, most))).capitalize() + "."


def rows_of(kind, count, r, length):
    """Rows of a kind, the texts a third to a whole of `length` tokens long."""
    least, most = length // 4, length // 2
    if kind == "text":
        return [{"text": sentence(r, least, most)} for _ in range(count)]
    if kind == "prompt":
        return [{"prompt": sentence(r, 5, least), "completion": " " + sentence(r, 5, least)} for _ in range(count)]
    return [{"messages": [m for _ in range(r.randint(1, 2)) for m in (
        {"role": "user", "content": sentence(r, 3, length // 16)},
        {"role": "assistant", "content": sentence(r, 3, length // 16)})]} for _ in range(count)]


def tokens(row, tokenizer):
    """Ids, and labels before the shift."""
    if "text" in row:
        ids = tokenizer(row["text"])["input_ids"]
        return ids, ids
    if "prompt" in row:
        ids = tokenizer(row["prompt"] + row["completion"])["input_ids"] + [tokenizer.eos_token_id]
        n = len(tokenizer(row["prompt"])["input_ids"])
        return ids, [-100] * n + ids[n:]
    messages = row["messages"]
    if "endgeneration" in tokenizer.chat_template:
        found = tokenizer.apply_chat_template(messages, return_assistant_tokens_mask=True, return_dict=True)
        return found["input_ids"], [i if said else -100 for i, said in zip(found["input_ids"], found["assistant_masks"])]
    render = lambda m, opened: tokenizer.apply_chat_template(m, tokenize=False, add_generation_prompt=opened)
    spans = [(len(render(messages[:i], True)), len(render(messages[:i + 1], False)))
             for i, m in enumerate(messages) if m["role"] == "assistant"]
    found = tokenizer(render(messages, False), add_special_tokens=False, return_offsets_mapping=True)
    ids = found["input_ids"]
    return ids, [i if any(a < end and b > start for start, end in spans) else -100
                 for i, (a, b) in zip(ids, found["offset_mapping"])]


def packed(samples, length):
    """Best fit, longest first, in the order of the first sample of each."""
    bins = []
    for i in sorted(range(len(samples)), key=lambda i: (-len(samples[i][0]), i)):
        size = len(samples[i][0])
        fitting = [b for b in bins if b["free"] >= size]
        best = min(fitting, key=lambda b: b["free"]) if fitting else None
        if best is None:
            bins.append(best := {"free": length, "members": []})
        best["members"].append(i)
        best["free"] -= size
    return sorted((sorted(b["members"]) for b in bins), key=lambda members: members[0])


def losses(args, model, rows, pack, tokenizer):
    """A step's loss is the mean over all predicted tokens; packed samples see no other, so they may as well stand alone."""
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=args.rate, weight_decay=0.01)
    samples = [(ids[:args.length], labels[:args.length]) for ids, labels in (tokens(row, tokenizer) for row in rows)]
    members = packed(samples, args.length) if pack else [[i] for i in range(len(samples))]
    batches = [[i for group in members[at:at + args.rows] for i in group] for at in range(0, len(members), args.rows)]
    told, step = [], 0
    while step < args.steps:
        batch = batches[step % len(batches)]
        width = max(len(samples[i][0]) for i in batch)
        fill = lambda part, value: torch.tensor([samples[i][part] + [value] * (width - len(samples[i][part])) for i in batch])
        mask = torch.tensor([[1] * len(samples[i][0]) + [0] * (width - len(samples[i][0])) for i in batch])
        logits = model(input_ids=fill(0, 0), attention_mask=mask).logits[:, :-1]
        labels = fill(1, -100)[:, 1:]
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1), ignore_index=-100)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        told.append(loss.item())
        step += 1
    return told


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--kind", choices=[kind + pack for kind in KINDS for pack in ("", " packed")],
                        help="the only kind that is trained")
    parser.add_argument("--double", action="store_true", help="the steps in float64, from the same rows and adapter")
    args = parser.parse_args()
    torch.manual_seed(1)
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
    base = transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear")
    model = peft.get_peft_model(base, config)
    model.save_pretrained(args.out / "adapter")
    model.train()
    if args.double:
        model.double()
        # Norms of transformers round what they read to this, whatever the model is in.
        torch.float32 = torch.float64
    first = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    figures = {}
    for loss_on, kind in KINDS.items():
        rows = rows_of(kind, args.rows * args.steps, random.Random(f"{kind} {args.length}"), args.length)
        (args.out / f"{loss_on}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        for pack in (False, True):
            trained_on = f"{loss_on}{' packed' if pack else ''}"
            if args.kind not in (None, trained_on):
                continue
            with torch.no_grad():
                for name, p in model.named_parameters():
                    if name in first:
                        p.copy_(first[name])
            figures[trained_on] = losses(args, model, rows, pack, tokenizer)
    versions = {m.__name__: m.__version__ for m in (torch, transformers, peft)}
    settings = {key: getattr(args, key) for key in ("rows", "length", "steps", "rate")}
    (args.out / "losses.json").write_text(json.dumps({"versions": versions, **settings, "losses": figures}))


if __name__ == "__main__":
    main()
