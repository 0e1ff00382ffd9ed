"""What the interchange scripts share: rows of a case, and a run of Attune over it."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import torch

LIMIT = 1e-5
BATCH = 4


def batch(case, tokenizer):
    rows = [json.loads(line) for line in (case / "eval.jsonl").read_text().splitlines()[:BATCH]]
    return tokenizer([row["text"] for row in rows], return_tensors="pt", padding=True, truncation=True, max_length=40)


def attune(case, out, adapter, **training):
    spec = {
        "version": 1,
        "model": {"use": "pretrained", "with": {"path": str(case / "model")}},
        "task": {"use": "sequence-classification", "with": {"labels": ["negative", "positive"]}},
        "data": {
            part: {"use": "jsonl", "with": {"path": str(case / f"{part}.jsonl")}} for part in ("train", "eval")
        },
        "adapter": adapter,
        "training": {"maxSteps": 1, "perDeviceTrainBatchSize": 4, "perDeviceEvalBatchSize": BATCH, "maxLength": 40, **training},
    }
    path = out / "spec.json"
    out.mkdir(parents=True)
    path.write_text(json.dumps(spec))
    command = ["node_modules/.bin/node", "runtimes/cli.ts", "run", str(path), "--output", str(out / "run"), "--probe"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "attune failed")
    logits = json.loads((out / "run/probe.json").read_text())["eval"]["logits"]
    return torch.tensor(logits["values"]).reshape(logits["dims"])


def run(members, check, versions):
    """Checks each member, prints a line for it, and exits 1 where one differs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", type=pathlib.Path, required=True)
    parser.add_argument("--only")
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    case = arguments.case.resolve()
    results, failed = {}, False
    with tempfile.TemporaryDirectory() as root:
        for name in [arguments.only] if arguments.only else members:
            try:
                result = check(case, name, pathlib.Path(root) / name)
                ok = max(result["there"], result["back"]) <= LIMIT and result["changedBy"] > LIMIT
            except Exception as error:  # each member is told of
                result, ok = {"error": str(error)[:300]}, False
            results[name] = result
            failed |= not ok
            print("ok  " if ok else "FAIL", name.ljust(24), result, flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps({"versions": versions, "members": results}, indent=2) + "\n")
    sys.exit(1 if failed else 0)
