"""The work of bench/edge.ts as people serve it in Python: FastAPI with tokenizers and scikit-learn, one process.

Run: python edge_server.py PORT MODEL
"""

import sys
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sklearn import metrics
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

app = FastAPI()
tokenizer = Tokenizer.from_file(f"{sys.argv[2]}/tokenizer.json")
words = AutoTokenizer.from_pretrained(sys.argv[2])
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[2]).eval()


class Tokenize(BaseModel):
    input: list[str]
    maxLength: int


class Evaluate(BaseModel):
    predictions: list[Any]
    references: list[Any]


@app.post("/v1/tokenize")
async def tokenize(body: Tokenize):
    tokenizer.enable_truncation(body.maxLength)
    tokenizer.enable_padding()
    return {
        "encodings": [
            {
                "inputIds": e.ids,
                "attentionMask": e.attention_mask,
                "tokenTypeIds": e.type_ids,
                "offsets": e.offsets,
                "wordIds": e.word_ids,
                "sequenceIds": e.sequence_ids,
            }
            for e in tokenizer.encode_batch(body.input)
        ]
    }


@app.post("/v1/evaluate")
async def evaluate(body: Evaluate):
    pair = (body.references, body.predictions)
    return {
        "metrics": {
            "accuracy": metrics.accuracy_score(*pair),
            "f1_macro": metrics.f1_score(*pair, average="macro"),
            "matthews-correlation": metrics.matthews_corrcoef(*pair),
        }
    }


class Classify(BaseModel):
    input: list[str]


@app.post("/v1/classify")
async def classify(body: Classify):
    with torch.inference_mode():
        batch = words(body.input, padding=True, truncation=True, return_tensors="pt")
        scores = model(**batch).logits.softmax(-1)
    best = scores.argmax(-1)
    return {
        "results": [
            {"label": model.config.id2label[b.item()], "score": s[b].item(), "scores": s.tolist()}
            for s, b in zip(scores, best)
        ]
    }


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
