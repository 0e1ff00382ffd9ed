/** Batches of samples in their given order, for evaluation and inference. */
import { layOut } from "../../loop/layout.ts";
import type { Batch, BatchLayout, Sample } from "../../types.ts";

/** Samples in order. */
export type Samples = Iterable<Sample> | AsyncIterable<Sample>;

/** Yields samples in batches of `size`, in order, laid out when requested. */
export async function* batchesInOrder(samples: Samples, size: number, layout: BatchLayout): AsyncGenerator<Batch> {
  let group: Sample[] = [];
  for await (const sample of samples) {
    if (group.push(sample) < size) continue;
    yield layOut(group, layout);
    group = [];
  }
  if (group.length > 0) yield layOut(group, layout);
}

/** Yields samples in order, in batches of at most `tokens` padded positions; a longer sample is a batch of its own. */
export async function* batchesOfTokens(samples: Samples, tokens: number, layout: BatchLayout): AsyncGenerator<Batch> {
  let group: Sample[] = [];
  let longest = 0;
  let count = 0;
  for await (const sample of samples) {
    const widest = Math.max(longest, ...sample.sequences.map((s) => s.length + layout.reserve.tokens));
    const sequences = count + sample.sequences.length;
    if (group.length > 0 && widest * sequences > tokens) {
      yield layOut(group, layout);
      group = [];
      longest = Math.max(0, ...sample.sequences.map((s) => s.length + layout.reserve.tokens));
      count = sample.sequences.length;
    } else {
      longest = widest;
      count = sequences;
    }
    group.push(sample);
  }
  if (group.length > 0) yield layOut(group, layout);
}
