"""The work of bench/edge.ts as people serve it in Python: FastAPI with tokenizers and scikit-learn, one process.

Run: python edge_server.py PORT TOKENIZER.JSON
"""

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sklearn import metrics
from tokenizers import Tokenizer

app = FastAPI()
tokenizer = Tokenizer.from_file(sys.argv[2])


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


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
