"""The rows, the model and the Trainer that both scripts use, set up as well for a processor as Hugging Face allows."""

import os
import time

START = time.perf_counter()

# A setting of kernels for this machine must not slow torch down on another.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import argparse
import json
import platform
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "node_modules" / "sentiment" / "test" / "fixtures"
FILES = ("amazon", "imdb", "yelp")
DEFAULT_MODEL = ROOT.parent / "shared" / "models" / "all-MiniLM-L6-v2"


def arguments(description: str) -> argparse.ArgumentParser:
    """The flags that both scripts have. Threads are set here, before torch is imported."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", default=str(DEFAULT_MODEL), help="directory of the checkpoint")
    parser.add_argument("--mode", choices=("lora", "full"), default="lora")
    parser.add_argument("--bf16", action="store_true", help="bfloat16 autocast")
    parser.add_argument("--attention", choices=("sdpa", "eager"), default="sdpa")
    parser.add_argument("--compile", action="store_true", help="torch.compile")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, help="default: 1e-3 for lora, 5e-5 for full")
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parses the flags and sets the number of threads, which must come before torch is imported."""
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(args.threads)
    if args.learning_rate is None:
        args.learning_rate = 1e-3 if args.mode == "lora" else 5e-5
    return args


def read_rows() -> tuple[list[dict], list[dict]]:
    """The labelled sentences of npm's `sentiment`: of each file's, counted from 0, those with index % 5 == 4 are test."""
    train, test = [], []
    for name in FILES:
        with open(FIXTURES / f"{name}.json", encoding="utf-8") as file:
            labelled = [row for row in json.load(file) if row["class"] is not None and row["text"].strip()]
        for index, row in enumerate(labelled):
            (test if index % 5 == 4 else train).append({"text": row["text"], "label": row["class"]})
    if (len(train), len(test)) != (2400, 600):
        raise SystemExit(f"Expected 2400 and 600 rows in {FIXTURES} but found {len(train)} and {len(test)}")
    return train, test


def load_tokenizer(args: argparse.Namespace):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(args.model)


def tokenize(tokenizer, rows: list[dict], args: argparse.Namespace) -> list[dict]:
    """Each row once, before training; padding is the collator's, to the longest row of a batch."""
    encoded = tokenizer([row["text"] for row in rows], truncation=True, max_length=args.max_length)
    return [{key: values[i] for key, values in encoded.items()} | {"labels": row["label"]} for i, row in enumerate(rows)]


def load_model(args: argparse.Namespace):
    """The classifier, with LoRA around query and value where asked for."""
    import torch
    from transformers import AutoModelForSequenceClassification, set_seed

    torch.set_num_threads(args.threads)
    set_seed(args.seed)
    model = AutoModelForSequenceClassification.from_pretrained(
        args.model, num_labels=2, attn_implementation=args.attention, dtype=torch.float32
    )
    if args.mode == "lora":
        from peft import LoraConfig, TaskType, get_peft_model

        config = LoraConfig(
            task_type=TaskType.SEQ_CLS, r=8, lora_alpha=16, lora_dropout=0.1, target_modules=["query", "value"]
        )
        model = get_peft_model(model, config)
    return model


def training_arguments(args: argparse.Namespace, output_dir: str, **more):
    """Trainer's defaults, less everything that takes time beside training: logs, bars, saving, pinned memory."""
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=output_dir,
        learning_rate=args.learning_rate,
        lr_scheduler_type="linear",
        per_device_train_batch_size=args.batch_size,
        per_device_eval_batch_size=64,
        seed=args.seed,
        bf16=args.bf16,
        torch_compile=args.compile,
        use_cpu=True,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        **more,
    )


def memory() -> dict[str, int]:
    """Resident bytes of this process, now and at most (VmRSS, VmHWM)."""
    with open("/proc/self/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file if ":" in line)
    return {name: int(fields[key].split()[0]) * 1024 for name, key in (("rss", "VmRSS"), ("peakRss", "VmHWM"))}


def environment() -> dict[str, object]:
    """What was measured on what."""
    import accelerate
    import peft
    import torch
    import transformers

    versions = {module.__name__: module.__version__ for module in (torch, transformers, peft, accelerate)}
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    capability = torch.backends.cpu.get_cpu_capability()
    return {"python": platform.python_version(), **versions, "cpu": cpu, "capability": capability}
