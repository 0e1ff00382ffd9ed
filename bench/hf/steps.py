"""Does training steps on the rows it is told, with Hugging Face's Trainer: JSON lines in, JSON lines out (see README).

The loop is Trainer's own. Its batch sampler waits for the driver, so that every batch is collated, trained and
counted as in `trainer.train()`; a step lasts from the row numbers being known to the loop asking for the next ones.
"""

import common  # First: it starts the clock.

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator

# A schedule so long that the learning rate hardly changes.
MAX_STEPS = 100_000


def main() -> None:
    args = common.parse(common.arguments(__doc__))
    # Only answers may reach standard output, whatever the libraries print.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(**message: object) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    from torch.utils.data import DataLoader
    from transformers import DataCollatorWithPadding, Trainer

    train_rows, _ = common.read_rows()
    tokenizer = common.load_tokenizer(args)
    train = common.tokenize(tokenizer, train_rows, args)
    losses = []

    def batches() -> Iterator[list[int]]:
        """Row numbers as the driver sends them. Ends the process when told to, or with the input."""
        for line in sys.stdin:
            command = json.loads(line)
            if command["cmd"] == "quit":
                break
            if command["cmd"] != "steps":
                raise ValueError(f"Unknown command {command['cmd']!r}; allowed are steps and quit")
            times = []
            losses.clear()
            for rows in command["batches"]:
                start = time.perf_counter()
                yield rows
                times.append(1000 * (time.perf_counter() - start))
            answer(event="steps", ms=times, losses=[float(loss) for loss in losses], **common.memory())
        raise SystemExit(0)

    class Steps(Trainer):
        def get_train_dataloader(self) -> DataLoader:
            # Not prepared by accelerate: its loader reads one batch ahead, which would wait for the driver.
            return DataLoader(train, batch_sampler=batches(), collate_fn=self.data_collator)

        def training_step(self, *inputs, **more):
            loss = super().training_step(*inputs, **more)
            losses.append(loss)
            return loss

    with tempfile.TemporaryDirectory() as output:
        trainer = Steps(
            model=common.load_model(args),
            args=common.training_arguments(args, output, max_steps=MAX_STEPS),
            train_dataset=train,
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        answer(
            event="ready",
            name=" ".join(["hf", args.mode, "bf16" if args.bf16 else "f32", args.attention]),
            rows=len(train),
            lengths=[len(row["input_ids"]) for row in train],
            startMs=1000 * (time.perf_counter() - common.START),
            environment=common.environment(),
        )
        trainer.train()


main()
