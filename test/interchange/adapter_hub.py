"""Bottlenecks and ReFT exchanged with AdapterHub's `adapters`, both ways, as peft_adapters.py does with PEFT.

    python test/interchange/adapter_hub.py --case shared/reference/cases/bert-seqcls-lora

Needs torch, adapters 1.2 and the transformers it asks for (4.51); run from the repository's root.
"""
import warnings

import adapters
import torch
import transformers
from common import attune, batch, difference, run
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

warnings.filterwarnings("ignore")
transformers.utils.logging.set_verbosity_error()

# name: (AdapterHub's config, the plugin, its options)
MEMBERS = {
    "houlsby": (adapters.DoubleSeqBnConfig(reduction_factor=4), "houlsby", {"reductionFactor": 4}),
    "pfeiffer": (adapters.SeqBnConfig(reduction_factor=4), "pfeiffer", {"reductionFactor": 4}),
    "pfeiffer-channel": (
        adapters.SeqBnConfig(reduction_factor=8, scaling="channel", leave_out=[0], non_linearity="gelu"),
        "pfeiffer",
        {"reductionFactor": 8, "scaling": "channel", "leaveOut": [0], "nonLinearity": "gelu"},
    ),
    "parallel": (adapters.ParBnConfig(), "parallel", {}),
    "parallel-learned": (adapters.ParBnConfig(scaling="learned"), "parallel", {"scaling": "learned"}),
    "loreft": (
        adapters.LoReftConfig(r=3, prefix_positions=2, suffix_positions=1, dropout=0.0),
        "reft",
        {"r": 3, "prefixPositions": 2, "suffixPositions": 1, "dropout": 0},
    ),
    "noreft": (
        adapters.NoReftConfig(r=2, prefix_positions=1, suffix_positions=2, tied_weights=True, layers=[1], dropout=0.0),
        "reft",
        {"r": 2, "prefixPositions": 1, "suffixPositions": 2, "tiedWeights": True, "layers": [1], "orthogonality": False, "dropout": 0},
    ),
}


def base(case):
    model = AutoModelForSequenceClassification.from_pretrained(case / "model")
    adapters.init(model)
    return model


def check(case, name, folder):
    config, use, options = MEMBERS[name]
    folder.mkdir(parents=True)
    inputs = batch(case, PreTrainedTokenizerFast(tokenizer_file=str(case / "model/tokenizer.json"), pad_token="[PAD]"))
    torch.manual_seed(3)
    model = base(case)
    model.add_adapter("x", config=config)
    model.train_adapter("x")
    model.set_active_adapters("x")
    model.eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            if ".x." in key or key.startswith("classifier"):
                p.add_(0.2 * torch.randn_like(p))
            if key.endswith("weight.original"):  # torch reads the diagonal as whole numbers
                p.diagonal().fill_(-1)
        theirs = model(**inputs).logits
    model.save_adapter(str(folder / "hub"), "x", use_safetensors=True)
    read = attune(case, folder / "read", {"use": use, "with": {"from": str(folder / "hub")}}, learningRate=0)
    there = difference(read, theirs, inputs)
    ours = attune(case, folder / "train", {"use": use, "with": options}, learningRate=0.02, maxSteps=4)
    loaded = base(case)
    loaded.load_adapter(str(folder / "train/run/adapter"), set_active=True, use_safetensors=True)
    loaded.eval()
    with torch.no_grad():
        made = loaded(**inputs).logits
        back = difference(ours, made, inputs)
        plain = (base(case).eval()(**inputs).logits - made).abs().max().item()
    return {"use": use, "there": there, "back": back, "changedBy": plain}


run(
    lambda case: MEMBERS,
    check,
    {"adapters": adapters.__version__, "torch": torch.__version__, "transformers": transformers.__version__},
)
