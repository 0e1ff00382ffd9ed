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


def task_of(case):
    return json.loads((case / "spec.json").read_text())["task"]


def batch(case, tokenizer):
    rows = [json.loads(line) for line in (case / "eval.jsonl").read_text().splitlines()[:BATCH]]
    return tokenizer([row["text"] for row in rows], return_tensors="pt", padding=True, truncation=True, max_length=40)


def attune(case, out, adapter, **training):
    spec = {
        "version": 1,
        "model": {"use": "pretrained", "with": {"path": str(case / "model")}},
        "task": task_of(case),
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
    return logits


def difference(ours, theirs, inputs):
    """The largest one, relative where a logit is above 1, over places that count; of long logits the first values."""
    dims, values = ours["dims"], torch.tensor(ours["values"])
    if list(theirs.shape) != dims:
        raise ValueError(f"dims {dims} here and {list(theirs.shape)} there")
    counts = torch.ones(dims, dtype=torch.bool)
    if len(dims) == 3:
        mask = inputs["attention_mask"].bool()
        virtual = dims[1] - mask.shape[1]
        counts[:] = torch.cat([torch.ones(dims[0], virtual, dtype=torch.bool), mask], dim=1)[:, :, None]
    theirs = theirs.flatten()[: len(values)]
    distance = (theirs - values).abs() / theirs.abs().clamp(min=1)
    return distance[counts.flatten()[: len(values)]].max().item()


def run(members, check, versions):
    """Checks each member that there is for the case, prints a line for it, and exits 1 where one differs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", type=pathlib.Path, required=True)
    parser.add_argument("--only")
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    case = arguments.case.resolve()
    results, failed = {}, False
    with tempfile.TemporaryDirectory() as root:
        for name in [arguments.only] if arguments.only else members(case):
            try:
                result = check(case, name, pathlib.Path(root) / name)
                ok = max(result["there"], result["back"]) <= LIMIT and result["changedBy"] > LIMIT
            except Exception as error:  # each member is told of
                result, ok = {"error": str(error)[:300]}, False
            results[name] = {"ok": ok, **result}
            failed |= not ok
            print("ok  " if ok else "FAIL", name.ljust(24), result, flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps({"case": case.name, "versions": versions, "members": results}, indent=2) + "\n")
    sys.exit(1 if failed else 0)
