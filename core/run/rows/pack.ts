/** Packing: several samples share one row of a batch, where each sequence attends only to itself. */
import { badValue, missing, unsupported } from "../../base/errors.ts";
import { shareRows, weighSequences } from "../../loop/layout.ts";
import type { Sample } from "../../types.ts";
import type { EncodedRows } from "./encoded_rows.ts";
import { createSampleSizes } from "./sample_sizes.ts";
import { maxLengthOf, type OpenRun } from "../open/open.ts";

/**
 * Packs samples into rows of the run's `maxLength` by best-fit decreasing (Ding et al. 2024).
 *
 * @throws AttuneError if `maxLength` is not given, or a part of the run needs a row for each sequence.
 */
export async function packRows(open: OpenRun, encoded: EncodedRows): Promise<EncodedRows> {
  const { run, attached, heads, layout } = open;
  if (run.training.maxLength === null) {
    throw missing("spec", "training.maxLength, the length of packed rows", "task.with.packing");
  }
  if ([...attached, ...heads].some((part) => part.unshareable)) {
    throw unsupported("spec", "task.with.packing", true, "an adapter or the head needs a row for each sequence");
  }
  const reserved = layout.reserve.tokens;
  const { several, tokens, size, row } = await encoded.sizes();
  if (several) throw badValue("spec", `row ${several.row}`, several.sequences, "one sequence, to be packed");
  const lengths = Array.from({ length: encoded.count }, (_, place) => tokens(place) + reserved);
  // A ready-made row may be longer than `maxLength`; it is not packed with others.
  const room = lengths.reduce((a, b) => Math.max(a, b), maxLengthOf(open) + reserved);
  const bins = shareRows([lengths], [room]).map((bin) => bin.sort((a, b) => a - b));
  bins.sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
  const joined = (members: readonly Sample[]): Sample => {
    const [first] = members as [Sample];
    return { ...first, sequences: members.flatMap((member) => weighSequences(member)), packed: true };
  };
  const sizes = createSampleSizes(false);
  // A packed sample has all the tokens of its members.
  for (const bin of bins) {
    const [first = 0] = bin;
    sizes.put({ tokens: bin.reduce((n, place) => n + tokens(place), 0), size: size(first), row: row(first) });
  }
  return {
    ...encoded,
    count: bins.length,
    looked: sizes,
    sizes: () => Promise.resolve(sizes),
    largest: (count) => Promise.resolve(sizes.largest(count)),
    samples: async (places, epoch) => {
      const members = places.map((place) => bins[place] ?? []);
      const samples = await encoded.samples(members.flat(), epoch);
      let at = 0;
      return members.map(({ length }) => joined(samples.slice(at, at += length)));
    },
  };
}
