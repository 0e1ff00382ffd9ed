"""Trains on a file of rows as people do with `datasets.map` and Trainer, and tells every step as one line of JSON."""

import common  # First: it starts the clock.

import json
import tempfile


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--rows", required=True, help="JSON lines with text and label")
    parser.add_argument("--max-steps", type=int, default=60)
    parser.set_defaults(model=str(common.ROOT / "plugins" / "models" / "base"), max_length=64)
    args = common.parse(parser)

    import datasets
    from transformers import DataCollatorWithPadding, PrinterCallback, Trainer, TrainerCallback

    datasets.disable_progress_bars()
    tokenizer = common.load_tokenizer(args)
    labels = {"bad": 0, "good": 1}

    def encode(rows: dict) -> dict:
        encoded = tokenizer(rows["text"], truncation=True, max_length=args.max_length)
        return dict(encoded) | {"labels": [labels[label] for label in rows["label"]]}

    class Clock(TrainerCallback):
        """Says how many tokens a step had."""

        tokens = 0

        def on_step_end(self, *_, **__) -> None:
            print(json.dumps({"type": "step", "tokens": self.tokens}), flush=True)

    clock = Clock()
    padding = DataCollatorWithPadding(tokenizer)

    def collate(rows: list[dict]) -> dict:
        batch = padding(rows)
        clock.tokens = int(batch["attention_mask"].sum())
        return batch

    with tempfile.TemporaryDirectory() as output:
        rows = datasets.load_dataset("json", data_files=args.rows, split="train", cache_dir=f"{output}/cache")
        rows = rows.map(encode, batched=True, remove_columns=["text", "label"])
        trainer = Trainer(
            model=common.load_model(args),
            args=common.training_arguments(args, output, max_steps=args.max_steps),
            train_dataset=rows,
            data_collator=collate,
            callbacks=[clock],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()


main()
