"""Fine-tunes on the review sentences with Hugging Face's Trainer and writes accuracy, times and memory as JSON."""

import common  # First: it starts the clock.

import json
import statistics
import tempfile
import time


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--group-by-length", action="store_true")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--max-steps", type=int, default=-1)
    parser.add_argument("--out", help="where the results go besides standard output")
    args = common.parse(parser)

    from transformers import DataCollatorWithPadding, PrinterCallback, Trainer, TrainerCallback

    class Clock(TrainerCallback):
        """Times steps from end to end, so that reading and padding the batch count as they do for a user."""

        def __init__(self) -> None:
            self.steps: list[float] = []
            self.first_step = 0.0
            self.last = 0.0

        def on_epoch_begin(self, *_, **__) -> None:
            self.last = time.perf_counter()

        def on_step_end(self, *_, **__) -> None:
            now = time.perf_counter()
            self.steps.append(now - self.last)
            self.first_step = self.first_step or now - common.START
            self.last = now

    train_rows, test_rows = common.read_rows()
    tokenizer = common.load_tokenizer(args)
    train = common.tokenize(tokenizer, train_rows, args)
    test = common.tokenize(tokenizer, test_rows, args)
    if args.group_by_length:
        test.sort(key=lambda row: len(row["input_ids"]))
    model = common.load_model(args)
    clock = Clock()
    with tempfile.TemporaryDirectory() as output:
        trainer = Trainer(
            model=model,
            args=common.training_arguments(
                args,
                output,
                num_train_epochs=args.epochs,
                max_steps=args.max_steps,
                train_sampling_strategy="group_by_length" if args.group_by_length else "random",
            ),
            train_dataset=train,
            eval_dataset=test,
            data_collator=DataCollatorWithPadding(tokenizer),
            compute_metrics=lambda p: {"accuracy": float((p.predictions.argmax(-1) == p.label_ids).mean())},
            callbacks=[clock],
        )
        trainer.remove_callback(PrinterCallback)
        start = time.perf_counter()
        trained = trainer.train()
        train_seconds = time.perf_counter() - start
        start = time.perf_counter()
        metrics = trainer.evaluate()
        eval_seconds = time.perf_counter() - start

    results = {
        "accuracy": metrics["eval_accuracy"],
        "evalLoss": metrics["eval_loss"],
        "trainLoss": trained.training_loss,
        "wallSeconds": time.perf_counter() - common.START,
        "trainSeconds": train_seconds,
        "evalSeconds": eval_seconds,
        "firstStepSeconds": clock.first_step,
        "medianStepMs": 1000 * statistics.median(clock.steps),
        "minStepMs": 1000 * min(clock.steps),
        "steps": len(clock.steps),
        "trainRows": len(train),
        "testRows": len(test),
        "longestRow": max(len(row["input_ids"]) for row in train + test),
        "trainableParameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        **common.memory(),
        "arguments": vars(args),
        "environment": common.environment(),
    }
    text = json.dumps(results, indent=2)
    print(text)
    if args.out:
        with open(args.out, "w", encoding="utf-8") as file:
            file.write(text + "\n")


main()
