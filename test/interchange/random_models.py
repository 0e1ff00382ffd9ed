"""Models of every family with configs drawn at random, and what transformers computes with them.

    python test/interchange/random_models.py --seed 1 --count 200 --out /tmp/random
    node test/interchange/random_models.ts /tmp/random

Needs torch and transformers. What transformers itself cannot build or run with is left out, and said.
"""
import argparse
import json
import pathlib
import random
import shutil
import warnings

import torch
import transformers

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
torch.set_num_threads(1)

VOCABULARY = 60
LENGTHS = [9, 4, 7]
CLASSIFIERS = ["SequenceClassification", "TokenClassification"]
READERS = [*CLASSIFIERS, "QuestionAnswering", "MaskedLM", "MultipleChoice"]
LEFT_OUT = "-"


def drawn(r, **choices):
    picked = {name: r.choice(values) for name, values in choices.items()}
    return {name: value for name, value in picked.items() if value != LEFT_OUT}


def encoder(r, **more):
    return dict(vocab_size=VOCABULARY, max_position_embeddings=40, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
                pad_token_id=0, **drawn(r, hidden_size=[12, 16, 24], num_hidden_layers=[1, 2, 3], num_attention_heads=[2, 4],
                                        intermediate_size=[16, 20], layer_norm_eps=[1e-12, 1e-5, 1e-3, LEFT_OUT],
                                        hidden_act=["gelu", "relu", "gelu_new", "silu", "gelu_pytorch_tanh", "tanh", LEFT_OUT],
                                        initializer_range=[0.1, 0.3], tie_word_embeddings=[False, LEFT_OUT],
                                        **{"type_vocab_size": [1, 2, 3, LEFT_OUT], **more}))


def rotary(r):
    kind = r.choice(["default", "default", "linear", "dynamic", "yarn", "llama3"])
    value = {"rope_type": kind, "rope_theta": r.choice([100.0, 10_000.0, 500_000.0])}
    if kind in ("linear", "dynamic", "yarn"):
        value["factor"] = r.choice([2.0, 4.0])
    if kind == "yarn":
        value |= {"original_max_position_embeddings": 16}
        value |= drawn(r, beta_fast=[16.0, LEFT_OUT], beta_slow=[2.0, LEFT_OUT], attention_factor=[0.9, LEFT_OUT, LEFT_OUT],
                       mscale=[0.7, LEFT_OUT], mscale_all_dim=[1.1, LEFT_OUT], truncate=[False, LEFT_OUT])
    if kind == "llama3":
        value |= {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16}
    return value


def decoder(r, **more):
    return dict(vocab_size=VOCABULARY, num_attention_heads=4, attention_dropout=0.0, pad_token_id=0, bos_token_id=1, eos_token_id=2,
                classifier_dropout=0.0, rope_parameters=rotary(r),
                **drawn(r, hidden_size=[16, 24, 32], num_hidden_layers=[1, 2, 3], num_key_value_heads=[1, 2, 4],
                        intermediate_size=[20, 32], max_position_embeddings=[40, 64], initializer_range=[0.2, 0.4],
                        tie_word_embeddings=[True, False, LEFT_OUT], rms_norm_eps=[1e-6, 1e-5, 1e-3], **more))


def modern_bert(r):
    return dict(vocab_size=VOCABULARY, hidden_size=16, num_attention_heads=2, intermediate_size=20, max_position_embeddings=64,
                pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2, initializer_range=0.3,
                **drawn(r, num_hidden_layers=[2, 3, 4], global_attn_every_n_layers=[1, 2, 3], local_attention=[4, 8, 128],
                        attention_bias=[True, False], mlp_bias=[True, False], norm_bias=[True, False], norm_eps=[1e-5, 1e-3],
                        classifier_pooling=["cls", "mean"], classifier_bias=[True, False], classifier_activation=["gelu", "silu"],
                        decoder_bias=[True, False], hidden_activation=["gelu", "silu"], tie_word_embeddings=[True, False]))


def gpt2(r):
    return dict(vocab_size=VOCABULARY, n_layer=2, n_positions=40, embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0, pad_token_id=0,
                bos_token_id=1, eos_token_id=2, initializer_range=0.3, classifier_dropout=0.0,
                **drawn(r, n_embd=[16, 24], n_head=[2, 4], activation_function=["gelu_new", "relu", "gelu", "silu", "tanh"],
                        n_inner=[20, 40, LEFT_OUT], scale_attn_weights=[True, False], layer_norm_epsilon=[1e-5, 1e-3],
                        scale_attn_by_inverse_layer_idx=[True, False], tie_word_embeddings=[True, False, LEFT_OUT]))


def deberta(r):
    return encoder(r, relative_attention=[True, True, True, False], position_buckets=[LEFT_OUT, -1, 4, 5, 8, 30], max_relative_positions=[-1, 20],
                   pos_att_type=["p2c|c2p", ["c2p"], "p2c", None], norm_rel_ebd=["layer_norm", "none", LEFT_OUT], share_att_key=[True, False],
                   position_biased_input=[True, False], pooler_hidden_act=["gelu", "tanh"], legacy=[True, False], type_vocab_size=[0, 2])


def falcon(r):
    grouped = r.random() < 0.4
    value = dict(vocab_size=VOCABULARY, num_hidden_layers=2, num_attention_heads=4, hidden_dropout=0.0, attention_dropout=0.0,
                 pad_token_id=0, bos_token_id=1, eos_token_id=2, max_position_embeddings=64, initializer_range=0.3,
                 classifier_dropout=0.0, new_decoder_architecture=grouped,
                 **drawn(r, hidden_size=[16, 32], multi_query=[True, False], parallel_attn=[True] if grouped else [True, False],
                         alibi=[True, False], bias=[True, False], layer_norm_epsilon=[1e-5, 1e-3], activation=["gelu", "relu"],
                         ffn_hidden_size=[20, LEFT_OUT], tie_word_embeddings=[True, False], num_kv_heads=[2, 4] if grouped else [LEFT_OUT]))
    return value | ({} if value["alibi"] else {"rope_parameters": rotary(r)})


def gemma3(r):
    value = decoder(r, head_dim=[8, 12], query_pre_attn_scalar=[8, 24, LEFT_OUT], final_logit_softcapping=[None, 2.0],
                    sliding_window=[3, 5, 100], attention_bias=[True, False], hidden_activation=["gelu_pytorch_tanh", "silu"])
    value["layer_types"] = [r.choice(["sliding_attention", "full_attention"]) for _ in range(value["num_hidden_layers"])]
    local = {"rope_type": "default", "rope_theta": r.choice([100.0, 10_000.0])}
    return value | {"rope_parameters": {"sliding_attention": local, "full_attention": rotary(r)}}


def phi(r):
    value = decoder(r, qk_layernorm=[True, False], hidden_act=["gelu_new", "relu"], layer_norm_eps=[1e-5, 1e-3])
    value.pop("rms_norm_eps")
    value["rope_parameters"] = {"rope_type": "default", "rope_theta": 10_000.0, "partial_rotary_factor": r.choice([0.5, 1.0])}
    return value | dict(resid_pdrop=0.0, embd_pdrop=0.0, hidden_size=32)


def phi3(r):
    value = decoder(r, sliding_window=[None, 4, 100], hidden_act=["silu", "gelu"])
    share = r.choice([0.5, 1.0])
    kept = {"rope_type": "default", "rope_theta": 10_000.0, "partial_rotary_factor": share}
    if r.random() < 0.5:
        pairs = range(int(8 * share) // 2)
        kept |= {"rope_type": "longrope", "short_factor": [1 + i / 10 for i in pairs], "long_factor": [2 + i / 2 for i in pairs]}
        value |= {"original_max_position_embeddings": r.choice([6, 16]), "max_position_embeddings": 64}
    return value | dict(hidden_size=32, resid_pdrop=0.0, embd_pdrop=0.0, rope_parameters=kept)


def t5(r):
    return dict(vocab_size=VOCABULARY, dropout_rate=0.0, decoder_start_token_id=0, pad_token_id=0, eos_token_id=2, classifier_dropout=0.0,
                **drawn(r, d_model=[12, 16], d_kv=[4, 5, 8], d_ff=[16, 24], num_layers=[1, 2], num_heads=[2, 3],
                        num_decoder_layers=[1, 2, 3, LEFT_OUT], relative_attention_num_buckets=[8, 16, 32],
                        relative_attention_max_distance=[20, 40, 128], tie_word_embeddings=[True, False, LEFT_OUT],
                        feed_forward_proj=["relu", "gelu", "gated-gelu", "gated-silu", "gated-relu"],
                        layer_norm_epsilon=[1e-6, 1e-3]))


def bart(r):
    return dict(vocab_size=VOCABULARY, d_model=24, encoder_ffn_dim=20, decoder_ffn_dim=32, dropout=0.0, max_position_embeddings=40,
                pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=None, init_std=0.3,
                **drawn(r, encoder_layers=[1, 2], decoder_layers=[1, 2], encoder_attention_heads=[2, 4], scale_embedding=[True, False],
                        decoder_attention_heads=[2, 3], activation_function=["gelu", "relu", "silu", "gelu_new"],
                        tie_word_embeddings=[True, False, LEFT_OUT]))


def xlnet(r):
    return dict(vocab_size=VOCABULARY, n_layer=2, d_inner=20, dropout=0.0, summary_last_dropout=0.0, pad_token_id=0, bos_token_id=1,
                eos_token_id=2, initializer_range=0.3,
                **drawn(r, d_model=[16, 24], n_head=[2, 4], ff_activation=["gelu", "relu", "silu"], clamp_len=[-1, 3],
                        same_length=[True, False], untie_r=[True, False], summary_use_proj=[True, False],
                        summary_activation=["tanh", "relu"], layer_norm_eps=[1e-12, 1e-3]))


FAMILIES = {
    "Bert": (lambda r: encoder(r, classifier_dropout=[0.0, LEFT_OUT]), [*READERS, "PreTraining"]),
    "Roberta": (encoder, READERS),
    "XLMRoberta": (encoder, READERS),
    "Camembert": (encoder, READERS),
    # Its positions count the padding of these rows, which another id marks.
    "MPNet": (encoder, [task for task in READERS if task != "QuestionAnswering"]),
    "DebertaV2": (deberta, READERS),
    "DistilBert": (lambda r: dict(vocab_size=VOCABULARY, n_layers=2, max_position_embeddings=40, dropout=0.0, attention_dropout=0.0,
                                  seq_classif_dropout=0.0, qa_dropout=0.0, initializer_range=0.3,
                                  **drawn(r, dim=[12, 16], n_heads=[2, 4], hidden_dim=[16, 32], activation=["gelu", "relu"],
                                          sinusoidal_pos_embds=[True, False], tie_word_embeddings=[False, LEFT_OUT])), READERS),
    "Albert": (lambda r: encoder(r, embedding_size=[8, 16], inner_group_num=[1, 2], classifier_dropout_prob=[0.0]), [*READERS, "PreTraining"]),
    "Electra": (lambda r: encoder(r, embedding_size=[8, 16, 24], summary_use_proj=[True, False], summary_activation=["gelu", "tanh"],
                                  summary_last_dropout=[0.0]), READERS),
    "ModernBert": (modern_bert, READERS),
    "XLNet": (xlnet, ["SequenceClassification"]),
    "GPT2": (gpt2, ["CausalLM", *CLASSIFIERS, "QuestionAnswering"]),
    "Llama": (lambda r: decoder(r, attention_bias=[True, False], mlp_bias=[True, False], hidden_act=["silu", "gelu", "relu"],
                                head_dim=[LEFT_OUT, 8, 12]), ["CausalLM", *CLASSIFIERS]),
    "Mistral": (lambda r: decoder(r, sliding_window=[None, 3, 5, 100], head_dim=[LEFT_OUT, 8]), ["CausalLM", *CLASSIFIERS]),
    "Qwen2": (lambda r: decoder(r, use_sliding_window=[True, False], sliding_window=[3, 5], max_window_layers=[0, 1, 2]),
              ["CausalLM", *CLASSIFIERS]),
    "Qwen3": (lambda r: decoder(r, head_dim=[6, 8, LEFT_OUT], attention_bias=[True, False], use_sliding_window=[True, False],
                                sliding_window=[3, 5], max_window_layers=[0, 1]), ["CausalLM", *CLASSIFIERS]),
    "Gemma2": (lambda r: decoder(r, head_dim=[8, 12], query_pre_attn_scalar=[8, 24], attn_logit_softcapping=[None, 5.0],
                                 final_logit_softcapping=[None, 2.0], sliding_window=[3, 5, 100], attention_bias=[True, False],
                                 hidden_activation=["gelu_pytorch_tanh", "gelu", "silu"]), ["CausalLM", *CLASSIFIERS]),
    "Gemma3Text": (gemma3, ["CausalLM", "SequenceClassification"]),
    "Phi": (phi, ["CausalLM", *CLASSIFIERS]),
    "Phi3": (phi3, ["CausalLM", *CLASSIFIERS]),
    "Falcon": (falcon, ["CausalLM", *CLASSIFIERS, "QuestionAnswering"]),
    "T5": (t5, ["ConditionalGeneration", *CLASSIFIERS]),
    "MT5": (t5, ["ConditionalGeneration", *CLASSIFIERS]),
    "Bart": (bart, ["ConditionalGeneration", "SequenceClassification"]),
}
CALLED = {"GPT2ForCausalLM": "GPT2LMHeadModel", "Gemma3TextForCausalLM": "Gemma3ForCausalLM"}
TYPED = ["Bert", "Albert", "Electra", "DebertaV2"]


def rows_of(family, task, config, r):
    """Ready-made rows, and the same as a batch of tensors; XLNet's padding stands on the left."""
    ids = [[1, *(r.randrange(5, VOCABULARY) for _ in range(n - 2)), 2] for n in LENGTHS]
    if family in ("T5", "MT5"):
        ids = [[7, *row[1:]] for row in ids]
    width = max(LENGTHS)

    def padded(values, fill):
        return [([fill] * (width - len(v)) + v) if family == "XLNet" else (v + [fill] * (width - len(v))) for v in values]

    rows = [{"input_ids": row} for row in ids]
    batch = {"input_ids": padded(ids, 0), "attention_mask": padded([[1] * n for n in LENGTHS], 0)}
    if family in TYPED and config.type_vocab_size > 1:
        types = [[0] * (n // 2) + [1] * (n - n // 2) for n in LENGTHS]
        batch["token_type_ids"] = padded(types, 0)
        rows = [{**row, "token_type_ids": own} for row, own in zip(rows, types)]
    labels = {}
    if task == "SequenceClassification":
        labels = {"labels": [0, 2, 1]}
        rows = [{**row, "label": label} for row, label in zip(rows, [0, 2, 1])]
    elif task == "QuestionAnswering":
        labels = {"start_positions": [2, 1, 3], "end_positions": [4, 2, 3]}
        rows = [{**row, **{k: v[i] for k, v in labels.items()}} for i, row in enumerate(rows)]
    elif task == "ConditionalGeneration":
        targets = [[*(r.randrange(5, VOCABULARY) for _ in range(n)), 2] for n in (5, 3, 6)]
        labels = {"labels": [t + [-100] * (7 - len(t)) for t in targets]}
        rows = [{**row, "labels": target} for row, target in zip(rows, targets)]
    elif task == "MultipleChoice":
        labels = {"labels": [1]}
        batch = {k: [v[:2]] for k, v in batch.items()}
        rows = [{k: [row[k] for row in rows[:2]] for k in rows[0]} | {"label": 1}]
    else:
        classes = 3 if task == "TokenClassification" else VOCABULARY
        own = ids if task == "CausalLM" else [[-100 if r.random() < 0.3 else r.randrange(classes) for _ in row] for row in ids]
        labels = {"labels": padded(own, -100)}
        rows = [{**row, "labels": label} for row, label in zip(rows, own)]
        if task == "PreTraining":
            labels["sentence_order_label" if family == "Albert" else "next_sentence_label"] = [0, 1, 1]
            rows = [{**row, "next_sentence_label": label} for row, label in zip(rows, [0, 1, 1])]
    return rows, {k: torch.tensor(v) for k, v in {**batch, **labels}.items()}


def write(folder, family, seed):
    r = random.Random(seed)
    fields, tasks = FAMILIES[family]
    fields, task = fields(r), r.choice(tasks)
    if task in CLASSIFIERS:
        fields["num_labels"] = 3
    config = getattr(transformers, f"{family}Config")(**fields)
    name = CALLED.get(f"{family}For{task}", f"{family}For{task}")
    torch.manual_seed(seed)
    model = getattr(transformers, name)(config)
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() == 1:
                p.add_(0.2 * torch.randn_like(p))
    model.save_pretrained(folder)
    model = getattr(transformers, name).from_pretrained(folder).eval()
    rows, batch = rows_of(family, task, config, r)
    with torch.no_grad():
        out, exact = model(**batch), model.double()(**batch)
    logits = {k: [v.flatten().tolist(), list(v.shape)] for k, v in out.items() if k.endswith("logits")}
    # Places that see nothing are not numbers in float64.
    pairs = [(a, b) for k, (v, _) in logits.items() for a, b in zip(v, exact[k].flatten().tolist()) if b == b]
    expected = {"name": name, "task": task, "fields": fields, "rows": rows, "loss": out.loss.item(), "logits": logits,
                "noise": max(abs(a - b) for a, b in pairs)}
    pathlib.Path(folder, "expected.json").write_text(json.dumps(expected))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    shutil.rmtree(args.out, ignore_errors=True)
    for i in range(args.count):
        family = list(FAMILIES)[i % len(FAMILIES)]
        folder = pathlib.Path(args.out, f"{i:04d}-{family}")
        folder.mkdir(parents=True)
        try:
            write(folder, family, args.seed * 100_003 + i)
        except Exception as error:
            shutil.rmtree(folder)
            print(f"left out: {folder.name}: {type(error).__name__} {str(error)[:120]}")


main()
