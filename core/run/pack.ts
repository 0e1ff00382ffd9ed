/**
 * Packing: several samples in one, whose sequences stand in one row that sees no other.
 * @module
 */
import { badValue, missing, unsupported } from "../errors.ts";
import { shareRows } from "../loop/layout.ts";
import type { Sample } from "../types.ts";
import type { EncodedRows } from "./data.ts";
import { maxLengthOf, type OpenRun } from "./open.ts";

/**
 * Samples packed into rows of the run's `maxLength`, best fit, longest first (Ding et al. 2024).
 *
 * @throws AttuneError where no length is given, or a part of the run needs a row for each sequence.
 */
export function packRows(open: OpenRun, encoded: EncodedRows): EncodedRows {
  const { run, attached, heads, layout } = open;
  if (run.training.maxLength === null) {
    throw missing("spec", "training.maxLength, the length of packed rows", "task.with.packing");
  }
  if ([...attached, ...heads].some((part) => part.unshareable)) {
    throw unsupported("spec", "task.with.packing", true, "an adapter or the head needs a row for each sequence");
  }
  const own = layout.reserve.tokens;
  const lengths = encoded.samples.map(({ sequences, row }) => {
    if (sequences.length !== 1) throw badValue("spec", `row ${row}`, sequences.length, "one sequence, to be packed");
    return (sequences[0]?.length ?? 0) + own;
  });
  // A ready-made row may be longer than what rows are packed to: it stays alone.
  const room = Math.max(maxLengthOf(open) + own, ...lengths);
  const bins = shareRows([lengths], [room]).map((bin) => bin.sort((a, b) => a - b));
  bins.sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
  const joined = (bin: readonly number[], sample: (index: number) => Sample): Sample => {
    const members = bin.map(sample);
    const [first] = members as [Sample];
    return { ...first, sequences: members.flatMap((member) => member.sequences), packed: true };
  };
  const { drawn } = encoded;
  return {
    ...encoded,
    samples: bins.map((bin) => joined(bin, (i) => encoded.samples[i] as Sample)),
    ...(drawn ? { drawn: (i: number, epoch: number) => joined(bins[i] ?? [], (k) => drawn(k, epoch)) } : {}),
  };
}
