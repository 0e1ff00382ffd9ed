"""Trials of options with Optuna and Hugging Face's Trainer (PEFT's LoRA), or one run; prints seconds
behind the imports, and figures, as JSON."""

import common  # First: it starts the clock.

import copy
import json
import tempfile
import time


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--trials", type=int, default=0, help="0: one run with the default options")
    parser.add_argument("--train", required=True)
    parser.add_argument("--eval", required=True)
    parser.add_argument("--epochs", type=float, default=1)
    args = common.parse(parser)

    import numpy
    import torch
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import AutoModelForSequenceClassification, DataCollatorWithPadding, PrinterCallback, Trainer
    from transformers import set_seed

    torch.set_num_threads(args.threads)
    ready = time.perf_counter()

    def rows(path: str) -> list[dict]:
        with open(path, encoding="utf-8") as file:
            found = [json.loads(line) for line in file]
        return [{"text": row["text"], "label": int(row["label"] == "positive")} for row in found]

    # As in Attune, all trials of a process share the encoded rows and the base.
    tokenizer = common.load_tokenizer(args)
    train = common.tokenize(tokenizer, rows(args.train), args)
    held = common.tokenize(tokenizer, rows(args.eval), args)
    base = AutoModelForSequenceClassification.from_pretrained(
        args.model, num_labels=2, attn_implementation=args.attention, dtype=torch.float32
    )

    def trained(learning_rate: float, r: int) -> float:
        set_seed(args.seed)
        config = LoraConfig(
            task_type=TaskType.SEQ_CLS,
            r=r,
            lora_alpha=16,
            lora_dropout=0.1,
            target_modules=["query", "value"],
            # The base has no pooler, so that one is trained on both sides.
            modules_to_save=["pooler", "classifier"],
        )
        args.learning_rate = learning_rate
        with tempfile.TemporaryDirectory() as output:
            trainer = Trainer(
                model=get_peft_model(copy.deepcopy(base), config),
                args=common.training_arguments(args, output, num_train_epochs=args.epochs),
                train_dataset=train,
                eval_dataset=held,
                data_collator=DataCollatorWithPadding(tokenizer),
                compute_metrics=lambda p: {
                    "accuracy": float((numpy.asarray(p.predictions).argmax(-1) == p.label_ids).mean())
                },
            )
            trainer.remove_callback(PrinterCallback)
            trainer.train()
            return trainer.evaluate()["eval_accuracy"]

    if args.trials == 0:
        best, steps = trained(2e-3, 8), 1
    else:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=args.seed))
        study.optimize(
            lambda trial: trained(
                trial.suggest_float("learningRate", 1e-4, 2e-2, log=True), trial.suggest_categorical("r", [4, 8])
            ),
            n_trials=args.trials,
        )
        best, steps = study.best_value, len(study.trials)
    print(json.dumps({"seconds": time.perf_counter() - ready, "accuracy": best, "runs": steps}))


main()
