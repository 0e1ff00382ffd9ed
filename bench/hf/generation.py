"""Answers prompts greedily with transformers' generate: JSON lines in, JSON lines out (see README)."""

import common  # First: it starts the clock.

import argparse
import json
import sys
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    args = parser.parse_args()

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(args.threads)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=getattr(torch, args.dtype)).eval()
    tokenizer = AutoTokenizer.from_pretrained(args.model, padding_side="left")
    say = lambda **message: print(json.dumps(message), flush=True)
    say(startMs=1000 * (time.perf_counter() - common.START), environment=common.environment())
    for line in sys.stdin:
        command = json.loads(line)
        start, cpu = time.perf_counter(), time.process_time()
        chats = [[{"role": "user", "content": prompt}] for prompt in command["prompts"]]
        texts = [tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats]
        prompts = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        options = dict(do_sample=False, max_new_tokens=command["maxNewTokens"], pad_token_id=tokenizer.pad_token_id)
        with torch.inference_mode():
            found = model.generate(**prompts, **options)
        tokens = found[:, prompts.input_ids.shape[1] :].tolist()
        ms, cpu_ms = 1000 * (time.perf_counter() - start), 1000 * (time.process_time() - cpu)
        say(ms=ms, cpuMs=cpu_ms, tokens=tokens, peakRss=common.memory()["peakRss"])


main()
