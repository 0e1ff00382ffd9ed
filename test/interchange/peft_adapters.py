"""Adapters exchanged with PEFT, both ways.

For each member: PEFT makes an adapter with random weights and saves it, Attune loads it and its logits are compared with
PEFT's; then Attune trains one from its options, and PEFT loads what was saved and is compared with Attune.

    python test/interchange/peft_adapters.py --case shared/reference/cases/bert-seqcls-lora [--only name] [--out file.json]

Needs torch, transformers and peft; run from the repository's root. Exits 1 where a logit differs by more than 1e-5.
"""
import warnings

import peft
import torch
import transformers
from common import attune, batch, difference, run, task_of
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

warnings.filterwarnings("ignore")
transformers.utils.logging.disable_progress_bar()
# name: (PEFT's config, the plugin, its options). Options are the config's in camelCase unless given.
MEMBERS = {
    "lora": (lambda: peft.LoraConfig(r=4, lora_alpha=8, target_modules=["query", "value"]), "lora", {}),
    "lora-all-linear": (lambda: peft.LoraConfig(r=4, target_modules="all-linear", use_rslora=True), "lora", {}),
    "lora-exclude": (lambda: peft.LoraConfig(r=4, target_modules="all-linear", exclude_modules=["dense"]), "lora", {}),
    "lora-layers": (
        lambda: peft.LoraConfig(r=4, target_modules=["query"], layers_to_transform=[1], layers_pattern="layer"),
        "lora",
        {},
    ),
    "lora-patterns": (
        lambda: peft.LoraConfig(
            r=4, target_modules=["query", "value"], rank_pattern={"value": 2}, alpha_pattern={"layer.0.attention.self.query": 3}
        ),
        "lora",
        {},
    ),
    "lora-bias": (lambda: peft.LoraConfig(r=4, target_modules=["query", "value"], bias="lora_only"), "lora", {}),
    "lora-bias-all": (lambda: peft.LoraConfig(r=4, target_modules=["query", "value"], bias="all"), "lora", {}),
    "lora-bias-of-b": (lambda: peft.LoraConfig(r=4, target_modules=["query", "value"], lora_bias=True), "lora", {}),
    "lora-embeddings": (
        lambda: peft.LoraConfig(r=4, target_modules=["query", "word_embeddings", "position_embeddings"]),
        "lora",
        {},
    ),
    "lora-tokens": (
        lambda: peft.LoraConfig(
            r=4, target_modules=["query"], trainable_token_indices={"word_embeddings": [5, 40, 41]}
        ),
        "lora",
        {},
    ),
    "lora-modules-to-save": (
        lambda: peft.LoraConfig(r=4, target_modules=["query"], modules_to_save=["pooler"]),
        "lora",
        {},
    ),
    "lora-gaussian": (lambda: peft.LoraConfig(r=4, target_modules=["query"], init_lora_weights="gaussian"), "lora", {}),
    "lora-orthogonal": (
        lambda: peft.LoraConfig(r=4, target_modules=["query"], init_lora_weights="orthogonal"),
        "lora",
        {},
    ),
    "lora-pissa": (
        lambda: peft.LoraConfig(r=4, target_modules=["query", "output.dense"], init_lora_weights="pissa"),
        "lora",
        {},
    ),
    "lora-olora": (
        lambda: peft.LoraConfig(r=4, target_modules=["query", "output.dense"], init_lora_weights="olora"),
        "lora",
        {},
    ),
    "dora": (lambda: peft.LoraConfig(r=4, target_modules=["query", "output.dense"], use_dora=True), "dora", {}),
    "ia3": (lambda: peft.IA3Config(), "ia3", {}),
    "prompt-tuning": (lambda: peft.PromptTuningConfig(num_virtual_tokens=5), "prompt-tuning", {"numVirtualTokens": 5}),
    "prefix-tuning": (lambda: peft.PrefixTuningConfig(num_virtual_tokens=5), "prefix-tuning", {"numVirtualTokens": 5}),
    "prefix-projection": (
        lambda: peft.PrefixTuningConfig(num_virtual_tokens=5, prefix_projection=True, encoder_hidden_size=12),
        "prefix-tuning",
        {"numVirtualTokens": 5, "prefixProjection": True, "encoderHiddenSize": 12},
    ),
    "p-tuning": (
        lambda: peft.PromptEncoderConfig(num_virtual_tokens=5, encoder_hidden_size=12),
        "p-tuning",
        {"numVirtualTokens": 5, "encoderHiddenSize": 12},
    ),
    "adalora": (
        lambda: peft.AdaLoraConfig(
            init_r=4, target_r=2, tinit=1, tfinal=1, total_step=4, target_modules=["query", "output.dense"]
        ),
        "adalora",
        {"initR": 4, "targetR": 2, "tinit": 1, "tfinal": 1, "targetModules": ["query", "output.dense"]},
    ),
    "vera": (lambda: peft.VeraConfig(r=16, target_modules=["query", "output.dense"]), "vera", {}),
    "ln-tuning": (lambda: peft.LNTuningConfig(target_modules=["LayerNorm"]), "ln-tuning", {}),
}

# Fields of PEFT's configs that are no options here.
PLAIN = {
    "peft_type", "task_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision", "inference_mode",
    "runtime_config", "megatron_core", "qalora_group_size", "fan_in_fan_out", "loftq_config", "use_qalora",
    "ensure_weight_tying",
}


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def options(config, own):
    if own:
        return own
    fields = {k: v for k, v in config.to_dict().items() if k not in PLAIN and v is not None}
    return {camel(k): sorted(v) if isinstance(v, set) else v for k, v in fields.items()}


# Members over a family's default modules, for decoders.
DECODERS = {
    "lora": (lambda: peft.LoraConfig(r=4), "lora", {}),
    "lora-all-linear": (lambda: peft.LoraConfig(r=4, target_modules="all-linear", lora_bias=True), "lora", {}),
    "lora-pissa": (lambda: peft.LoraConfig(r=4, init_lora_weights="pissa"), "lora", {}),
    "lora-tokens": (lambda: peft.LoraConfig(r=4, trainable_token_indices=[5, 40]), "lora", {}),
    "dora": (lambda: peft.LoraConfig(r=4, use_dora=True), "dora", {}),
    "adalora": (lambda: peft.AdaLoraConfig(init_r=4, target_r=2, tinit=1, tfinal=1, total_step=4), "adalora", {
        "initR": 4, "targetR": 2, "tinit": 1, "tfinal": 1,
    }),
    "ia3": MEMBERS["ia3"],
    "vera": (lambda: peft.VeraConfig(r=16), "vera", {}),
    "ln-tuning": (lambda: peft.LNTuningConfig(), "ln-tuning", {}),
    "prompt-tuning": MEMBERS["prompt-tuning"],
    "p-tuning": MEMBERS["p-tuning"],
    "prefix-tuning": MEMBERS["prefix-tuning"],
    "prefix-projection": MEMBERS["prefix-projection"],
}


def is_causal(case):
    return task_of(case)["use"] == "causal-lm"


def base(case):
    kind = AutoModelForCausalLM if is_causal(case) else AutoModelForSequenceClassification
    return kind.from_pretrained(case / "model").eval()


def check(case, name, folder):
    make, use, own = (DECODERS if is_causal(case) else MEMBERS)[name]
    config = make()
    config.task_type = "CAUSAL_LM" if is_causal(case) else "SEQ_CLS"
    given = options(config, own)
    inputs = batch(case, AutoTokenizer.from_pretrained(case / "model"))
    torch.manual_seed(3)
    model = peft.get_peft_model(base(case), config).eval()
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.add_(0.2 * torch.randn_like(p))
        theirs = model(**inputs).logits
    model.save_pretrained(folder / "peft")
    read = attune(case, folder / "read", {"use": use, "with": {"from": str(folder / "peft")}}, learningRate=0)
    there = difference(read, theirs, inputs)
    ours = attune(case, folder / "train", {"use": use, "with": given}, learningRate=0.02, maxSteps=4)
    loaded = peft.PeftModel.from_pretrained(base(case), folder / "train/run/adapter").eval()
    with torch.no_grad():
        made = loaded(**inputs).logits
        back = difference(ours, made, inputs)
        own = made[:, -inputs["input_ids"].shape[1] :] if made.dim() == 3 else made
        plain = (base(case)(**inputs).logits - own).abs().max().item()
    return {"use": use, "there": there, "back": back, "changedBy": plain}


run(
    lambda case: DECODERS if is_causal(case) else MEMBERS,
    check,
    {"peft": peft.__version__, "torch": torch.__version__, "transformers": transformers.__version__},
)
