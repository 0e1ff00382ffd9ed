/** Batches of samples in their order: what is measured, rather than trained on, is laid out so. */
import { layOut } from "../../loop/layout.ts";
import type { Batch, BatchLayout, Sample } from "../../types.ts";

/** Samples, as they come. */
export type Samples = Iterable<Sample> | AsyncIterable<Sample>;

/** Samples in batches of `size`, in order, laid out when they are asked for. */
export async function* batchesInOrder(samples: Samples, size: number, layout: BatchLayout): AsyncGenerator<Batch> {
  let group: Sample[] = [];
  for await (const sample of samples) {
    if (group.push(sample) < size) continue;
    yield layOut(group, layout);
    group = [];
  }
  if (group.length > 0) yield layOut(group, layout);
}

/** Samples in batches of at most so many places before padding is shared out, in order; one that is longer stands alone. */
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
