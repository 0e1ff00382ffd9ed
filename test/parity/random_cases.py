"""Parity cases drawn at random: adapters, optimizers and schedules with random options over tiny models of every family.

    python test/parity/random_cases.py --generator ../shared/reference/generate.py --texts node_modules/sentiment/test/fixtures \
        --out /tmp/random --count 100 [--seed 1] [--kind adapter|optimizer]
    npm run parity -- --reference /tmp/random

Each case is a folder as the reference's: a run spec with what torch computes for it. The generator of the reference makes
models, tokenizers, rows and figures; what is drawn here is what a run does with them. Draws that PEFT itself refuses, or
that rounding alone moves too far, are told and left out.
"""
import argparse
import importlib.util
import random
import sys
import traceback
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--generator", required=True, help="the reference's generate.py")
parser.add_argument("--texts", required=True)
parser.add_argument("--out", required=True)
parser.add_argument("--count", type=int, default=20)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--kind", choices=["adapter", "optimizer"])
parser.add_argument("--only", help="an adapter's or an optimizer's name")
parser.add_argument("--family", help="a family's name")
args = parser.parse_args()

spec = importlib.util.spec_from_file_location("generate", args.generator)
g = importlib.util.module_from_spec(spec)
spec.loader.exec_module(g)
import peft  # noqa: E402  (behind the generator's environment)
import torch  # noqa: E402

SEQCLS = g.task("sequence-classification", labels=["negative", "positive"])
ENCODER = dict(linears=["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"],
               norms=["LayerNorm"], embeddings=["word_embeddings"], layers="layer", feedforward=["output.dense", "intermediate.dense"])
LLAMA = dict(linears=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], embeddings=["embed_tokens"],
             norms=["input_layernorm", "post_attention_layernorm"], layers="layers", feedforward=["down_proj"])


def family(name, model, config, values, tok, what=SEQCLS, rows=("classification", {}), kind="SEQ_CLS", prompts=True, **modules):
    return dict(name=name, model=model, config=config, values=values, tok=tok, task=what, rows=rows, kind=kind,
                prompts=prompts, **modules)


def causal(name, values, tok, config=None, **modules):
    prefix = name[0].upper() + name[1:]
    return family(name, f"{prefix}ForCausalLM", config or f"{prefix}Config", values, tok, g.task("causal-lm"), ("text", {}), "CAUSAL_LM",
                  **modules)


WORD, SMALL = ("wordpiece", {}), dict(max_position_embeddings=52, type_vocab_size=1)
GPT2 = dict(linears=["c_attn", "attn.c_proj", "c_fc", "mlp.c_proj"], embeddings=["wte"], norms=["ln_1", "ln_2"], layers="h",
            feedforward=["c_fc", "mlp.c_proj"])
DEBERTA = g.bert(type_vocab_size=0, relative_attention=True, position_buckets=12, pos_att_type="p2c|c2p", norm_rel_ebd="layer_norm",
                 share_att_key=True, position_biased_input=False)
DISENTANGLED = {**ENCODER, "linears": ["query_proj", "key_proj", "value_proj", "attention.output.dense", "intermediate.dense", "output.dense"]}
FAMILIES = [
    family("bert", "BertForSequenceClassification", "BertConfig", g.bert(), WORD, **ENCODER),
    family("bert-tags", "BertForTokenClassification", "BertConfig", g.bert(), ("wordpiece", {"lower": False, "size": 420}),
           g.task("token-classification", labels=["O", "B-NAME", "I-NAME", "B-NUM", "I-NUM"]), ("tokens", {}), "TOKEN_CLS",
           **ENCODER),
    family("bert-qa", "BertForQuestionAnswering", "BertConfig", g.bert(), WORD, g.task("question-answering"), ("qa", {}),
           "QUESTION_ANS", prompts=False, **ENCODER),
    family("roberta", "RobertaForSequenceClassification", "RobertaConfig", g.bert(**SMALL), ("roberta", {}), **ENCODER),
    family("mpnet", "MPNetForSequenceClassification", "MPNetConfig", g.bert(**SMALL), WORD, prompts=False,
           **{**ENCODER, "linears": ["attn.q", "attn.k", "attn.v", "attn.o", "intermediate.dense", "output.dense"]}),
    family("deberta-v2", "DebertaV2ForSequenceClassification", "DebertaV2Config", DEBERTA, WORD, prompts=False, **DISENTANGLED),
    family("deberta-v2-tags", "DebertaV2ForTokenClassification", "DebertaV2Config", {**DEBERTA, "share_att_key": False},
           ("wordpiece", {"lower": False, "size": 420}), g.task("token-classification", labels=["O", "B-NAME", "I-NAME", "B-NUM", "I-NUM"]),
           ("tokens", {}), "TOKEN_CLS", prompts=False,
           **{**DISENTANGLED, "linears": [*DISENTANGLED["linears"], "pos_key_proj", "pos_query_proj"]}),
    family("distilbert", "DistilBertForSequenceClassification", "DistilBertConfig", g.distilbert(), ("wordpiece", {"post": "bert"}),
           linears=["q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2"], embeddings=["word_embeddings"],
           norms=["sa_layer_norm", "output_layer_norm"], layers="layer", feedforward=["lin1", "lin2"]),
    family("albert", "AlbertForSequenceClassification", "AlbertConfig", g.bert(embedding_size=16, num_hidden_layers=3), ("albert", {}),
           linears=["query", "key", "value", "attention.dense", "ffn", "ffn_output"], embeddings=["word_embeddings"],
           norms=["full_layer_layer_norm"], layers=None, feedforward=["ffn_output"], prompts=False),
    family("electra", "ElectraForSequenceClassification", "ElectraConfig", g.bert(embedding_size=16), WORD, **{**ENCODER}),
    family("modernbert", "ModernBertForSequenceClassification", "ModernBertConfig", g.modernbert(global_attn_every_n_layers=3),
           ("modernbert", {}), linears=["Wqkv", "attn.Wo", "Wi", "mlp.Wo"], embeddings=["tok_embeddings"], norms=["mlp_norm"],
           layers="layers", feedforward=["Wi", "mlp.Wo"], prompts=False),
    family("xlnet", "XLNetForSequenceClassification", "XLNetConfig", g.xlnet(), ("xlnet", {}), linears=["layer_1", "layer_2"],
           embeddings=["word_embedding"], norms=["layer_norm"], layers="layer", feedforward=["layer_2"], prompts=False),
    family("gpt2-seqcls", "GPT2ForSequenceClassification", "GPT2Config", g.gpt2(), ("gpt2", {}), prompts=False, **GPT2),
    family("gpt2", "GPT2LMHeadModel", "GPT2Config", g.gpt2(n_inner=48), ("gpt2", {}), g.task("causal-lm"), ("text", {}), "CAUSAL_LM",
           **GPT2),
    causal("llama", g.llama(), ("llama", {}), **LLAMA),
    causal("mistral", g.llama(sliding_window=8, head_dim=8), ("llama", {}), **LLAMA),
    causal("qwen2", g.llama(), ("qwen", {}), **LLAMA),
    causal("qwen3", g.llama(head_dim=12), ("qwen", {}), **LLAMA),
    causal("gemma2", g.llama(head_dim=8, query_pre_attn_scalar=16, sliding_window=10, attn_logit_softcapping=20.0,
                             final_logit_softcapping=8.0), ("gemma", {}), **LLAMA),
    causal("gemma3", g.llama(num_hidden_layers=3, intermediate_size=48, head_dim=8, query_pre_attn_scalar=8, sliding_window=6,
                             layer_types=["sliding_attention", "sliding_attention", "full_attention"]), ("gemma", {}),
           "Gemma3TextConfig", **LLAMA),
    causal("falcon", g.falcon(), ("falcon", {}), linears=["query_key_value", "self_attention.dense", "dense_h_to_4h", "dense_4h_to_h"],
           embeddings=["word_embeddings"], norms=["input_layernorm"], layers="h", feedforward=["dense_4h_to_h"]),
    causal("phi3", g.llama(original_max_position_embeddings=128, sliding_window=None), ("llama", {"style": "legacy"}),
           linears=["qkv_proj", "o_proj", "gate_up_proj", "down_proj"], embeddings=["embed_tokens"], norms=["input_layernorm"],
           layers="layers", feedforward=["down_proj"]),
    causal("phi", g.llama(num_key_value_heads=4), ("gpt2", {}), linears=["q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2"],
           embeddings=["embed_tokens"], norms=["input_layernorm"], layers="layers", feedforward=["fc2"]),
    family("t5", "T5ForConditionalGeneration", "T5Config", g.t5(), ("t5", {}), g.task("seq2seq-lm"), ("seq2seq", {}), "SEQ_2_SEQ_LM",
           linears=["q", "k", "v", "o", "wi", "wo"], embeddings=[], norms=["layer_norm"], layers="block",
           feedforward=["wi", "wo"]),
    family("bart", "BartForConditionalGeneration", "BartConfig", g.bart(decoder_attention_heads=4, decoder_layers=2), ("roberta", {}), g.task("seq2seq-lm"),
           ("seq2seq", {"prefix": ""}), "SEQ_2_SEQ_LM", linears=["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
           embeddings=[], norms=["self_attn_layer_norm"], layers="layers", feedforward=["fc1", "fc2"]),
]


def some(rng, values, least=1):
    return sorted(rng.sample(values, rng.randint(least, len(values))))


def maybe(rng, share, make):
    return make() if rng.random() < share else {}


def layers(rng, f, chance):
    if f["layers"] is None:
        return {}
    return maybe(rng, chance, lambda: dict(layers_to_transform=rng.choice([0, [1], [0]]),
                                           **maybe(rng, 0.5, lambda: dict(layers_pattern=f["layers"]))))


def draw_lora(rng, f, dora):
    targets = some(rng, f["linears"])
    if rng.random() < 0.2:
        targets = "all-linear"
    elif rng.random() < 0.15:
        targets = ".*\\.(" + "|".join(t.replace(".", "\\.") for t in targets) + ")"
    listed = isinstance(targets, list)
    if listed and rng.random() < 0.2 and not dora and f["embeddings"]:
        targets = targets + f["embeddings"]
    config = dict(r=rng.randint(1, 9), lora_alpha=rng.choice([1, 4, 8, 13, 16, 32]), lora_dropout=0.0, target_modules=targets,
                  use_rslora=rng.random() < 0.3)
    if dora:
        config["use_dora"] = True
    config |= maybe(rng, 0.2, lambda: dict(bias=rng.choice(["all", "lora_only"])))
    if not dora:
        config |= maybe(rng, 0.15, lambda: dict(lora_bias=True))
    if isinstance(targets, list):
        config |= layers(rng, f, 0.2)
    config |= maybe(rng, 0.25, lambda: dict(rank_pattern={rng.choice(f["linears"]): rng.randint(1, 7)}))
    config |= maybe(rng, 0.25, lambda: dict(alpha_pattern={rng.choice(f["linears"]): rng.choice([2, 5, 24])}))
    if len(f["linears"]) > 1 and not isinstance(targets, str) and len(targets) > 2:
        config |= maybe(rng, 0.2, lambda: dict(exclude_modules=[targets[0]]))
    if f["embeddings"] and (not listed or not set(targets) & set(f["embeddings"])):
        config |= maybe(rng, 0.15, lambda: dict(trainable_token_indices={f["embeddings"][0]: sorted(rng.sample(range(10, 60), 4))}))
    config |= maybe(rng, 0.15, lambda: dict(modules_to_save=[rng.choice(f["norms"])]))
    return config


def draw_adapter(rng, f):
    kinds = ["lora"] * 4 + ["dora"] * 2 + ["ia3"] * 2 + ["vera", "ln-tuning"] + ["adalora"] * (f["name"] in ("bert", "roberta", "distilbert")) + (["prompt-tuning", "prefix-tuning"] if f["prompts"] else [])
    kind = args.only or rng.choice(kinds)
    if kind in ("lora", "dora"):
        config = draw_lora(rng, f, kind == "dora")
    elif kind == "ia3":
        feedforward = some(rng, f["feedforward"])
        config = dict(target_modules=sorted(set(some(rng, f["linears"]) + feedforward)), feedforward_modules=feedforward)
    elif kind == "vera":
        config = dict(r=rng.choice([4, 8, 17]), target_modules=[rng.choice(f["linears"])], projection_prng_key=rng.randint(0, 99), vera_dropout=0.0,
                      d_initial=rng.choice([0.1, 0.5]))
    elif kind == "adalora":
        config = dict(init_r=rng.randint(3, 6), target_r=rng.randint(1, 2), tinit=rng.randint(0, 3), tfinal=rng.randint(1, 4), deltaT=rng.randint(1, 3),
                      beta1=rng.choice([0.85, 0.5]), orth_reg_weight=rng.choice([0.5, 0.1]), total_step=12, lora_alpha=rng.choice([4, 16]),
                      lora_dropout=0.0, target_modules=some(rng, f["linears"]))
    elif kind == "ln-tuning":
        config = dict(target_modules=f["norms"])
    else:
        config = dict(num_virtual_tokens=rng.randint(1, 9))
    return dict(kind=kind, config=dict(task_type=f["kind"], **config))


def adam(rng):
    return dict(beta1=rng.choice([0.9, 0.8, 0.95]), beta2=rng.choice([0.999, 0.99, 0.95]), epsilon=rng.choice([1e-8, 1e-6]))


def draw_optimizer(rng):
    use = (args.kind == "optimizer" and args.only) or rng.choice(["adamw", "adam", "adam", "sgd", "sgd", "rmsprop", "rmsprop", "adagrad", "lion", "adafactor", "adafactor"])
    decay = dict(weightDecay=rng.choice([0.0, 0.01, 0.1, 0.3]))
    if use == "adamw":
        return use, 0.002, {**adam(rng), **decay}
    if use == "adam":
        return use, 0.002, {**adam(rng), **decay, "amsgrad": rng.random() < 0.5}
    if use == "sgd":
        momentum = rng.choice([0.0, 0.5, 0.9])
        nesterov = momentum > 0 and rng.random() < 0.5
        return use, 0.02, dict(momentum=momentum, nesterov=nesterov, dampening=0.0 if nesterov else rng.choice([0.0, 0.3]), **decay)
    if use == "rmsprop":
        return use, 0.0005, dict(alpha=rng.choice([0.99, 0.9]), epsilon=rng.choice([1e-8, 1e-5]), momentum=rng.choice([0.0, 0.9, 0.5]),
                                 centered=rng.random() < 0.5, **decay)
    if use == "adagrad":
        return use, 0.01, dict(lrDecay=rng.choice([0.0, 0.01]), initialAccumulatorValue=rng.choice([0.0, 0.1]), epsilon=1e-10, **decay)
    if use == "lion":
        return use, 0.0002, dict(beta1=rng.choice([0.9, 0.95]), beta2=rng.choice([0.99, 0.98]), **decay)
    relative = rng.random() < 0.5
    return use, 0.001, dict(scaleParameter=rng.random() < 0.5, relativeStep=relative, warmupInit=relative and rng.random() < 0.4,
                            eps=rng.choice([[1e-30, 1e-3], [1e-20, 1e-2]]), clipThreshold=rng.choice([1.0, 0.5, 2.0]),
                            decayRate=rng.choice([-0.8, -0.6]), beta1=rng.choice([None, 0.9]), **decay)


def draw_schedule(rng):
    warmup = rng.choice([0, 1, 2, 5])
    return rng.choice([g.linear(warmup), g.cosine(warmup), g.cosine(warmup, numCycles=1.5), g.polynomial(warmup, rng.choice([1.0, 2.0, 0.5]), 1e-5),
                       g.constant(warmup), {"use": "constant", "with": {}}])


def draw(rng, number):
    adapters = args.kind != "optimizer" and (args.kind == "adapter" or rng.random() < 0.6)
    f = rng.choice([f for f in FAMILIES if args.family in (None, f["name"])])
    use, rate, options = ("adamw", 0.004, {**adam(rng), "weightDecay": rng.choice([0.0, 0.1])}) if adapters and rng.random() < 0.7 else draw_optimizer(rng)
    if adapters and use == "adafactor":
        options["scaleParameter"] = False
    constant = {"use": "constant", "with": {}}
    schedule = constant if options.get("relativeStep") else draw_schedule(rng)
    lm = f["task"]["use"] in ("causal-lm", "seq2seq-lm")
    smoothing = 0.1 if lm and rng.random() < 0.2 else 0
    training = g.training(learningRate=rate, maxSteps=12, gradientAccumulationSteps=rng.choice([1, 1, 2, 3]), maxGradNorm=rng.choice([1, 0.3, 0, 5]),
                          perDeviceTrainBatchSize=rng.choice([2, 3, 4]),
                          **({"labelSmoothingFactor": smoothing} if smoothing else {}))
    adapter = draw_adapter(rng, f) if adapters else None
    name = f"{number:04d}-{f['name']}-{adapter['kind'] if adapter else use}"
    return g.define(name, 9000 + number, f["model"], f["config"], f["values"], f["tok"], f["task"], f["rows"], n=(12, 5),
                    optimizer={"use": use, "with": options}, schedule=schedule, training=training, **({"adapter": adapter} if adapter else {}))


def build_adapter(case, base, folder):
    """The generator's own, for further kinds, and with every field that was drawn."""
    classes = {"vera": peft.VeraConfig, "ln-tuning": peft.LNTuningConfig, "adalora": peft.AdaLoraConfig}
    kind = case["adapter"]["kind"]
    if kind not in classes:
        return known_adapter(case, base, folder)
    lora = peft.LoraConfig
    peft.LoraConfig = classes[kind]
    try:
        return known_adapter({**case, "adapter": {**case["adapter"], "kind": "lora"}}, base, folder)
    finally:
        peft.LoraConfig = lora


def make_optimizer(model, spec):
    """AdaLoRA's ranks are allotted behind each step."""
    optimizer = known_optimizer(model, spec)
    if spec.get("adapter", {}).get("use") != "adalora":
        return optimizer
    done = [0]

    class Allotting(type(optimizer)):
        def step(self, *given, **named):
            super().step(*given, **named)
            done[0] += 1
            model.base_model.update_and_allocate(done[0])

    optimizer.__class__ = Allotting
    return optimizer


def loss_of(task, out, batch, smoothing):
    """AdaLoRA's penalty is part of the loss in training."""
    total, n = known_loss(task, out, batch, smoothing)
    own = getattr(out, "loss", None)
    if task["use"] == "sequence-classification" and own is not None and own.requires_grad and not smoothing:
        penalty = own - total.detach() / n
        if penalty.detach().abs() > 1e-4:
            return total + (own - total / n) * n, n
    return total, n


known_optimizer, g.make_optimizer = g.make_optimizer, make_optimizer
known_loss, g.loss_of = g.loss_of, loss_of

# PEFT's own drops token_type_ids on the way to the model.
peft.PeftModelForQuestionAnswering.forward = lambda self, **given: self.base_model(**given)
known_adapter, g.build_adapter = g.build_adapter, build_adapter
texts, made, number = g.Texts(args.texts, 1), 0, args.seed * 1000
while made < args.count and number < args.seed * 1000 + 5 * args.count:
    number += 1
    case = draw(random.Random(number), number)
    try:
        g.write_case(case, texts, Path(args.out) / "cases", trainer=False)
        made += 1
        print(case["name"], flush=True)
    except Exception as error:  # what PEFT refuses, or is too sensitive to rounding
        import shutil
        shutil.rmtree(Path(args.out) / "cases" / case["name"], ignore_errors=True)
        print(case["name"], "left out:", type(error).__name__, str(error)[:300], case.get("adapter"), file=sys.stderr, flush=True)
        if "-v" in sys.argv:
            traceback.print_exc()
