/** Batches for generation: whole prompts, then one more token in each row. */
import type { Tensor } from "../base/tensor.ts";
import type { Batch } from "../types.ts";

/** The name of the input with the places that logits are wanted for. */
export const LOGITS_AT: string = "labels.at";

/** Returns a batch that asks for logits at these places. */
export function withPlaces(batch: Batch, at: Tensor): Batch {
  const { decoder } = batch;
  const side = decoder && { decoder: { ...decoder, inputs: [...decoder.inputs, LOGITS_AT] } };
  return { ...batch, inputs: { ...batch.inputs, [LOGITS_AT]: at }, ...side };
}

/** Returns a batch of whole prompts for the decode graph, with one dummy cached place that nothing attends to. */
export function afterDummyPlace(batch: Batch): Batch {
  const { inputs, seq } = batch;
  const rows = batch.batch;
  const behind = (tensor: Tensor | undefined): Tensor => ({
    dtype: "int32",
    dims: [rows, seq + 1],
    data: grownInFront(ints(tensor), rows, seq),
  });
  return {
    ...batch,
    pastLength: 1,
    inputs: {
      ...inputs,
      key_segments: behind(inputs.segments),
      key_positions: behind(inputs.positions),
      key_columns: { dtype: "int32", dims: [seq + 1], data: grownInFront(ints(inputs.columns), 1, seq) },
    },
  };
}

/** Prepends a zero to each row of `width` numbers. */
function grownInFront(all: Int32Array, rows: number, width: number): Int32Array {
  const out = new Int32Array(rows * (width + 1));
  for (let row = 0; row < rows; row++) out.set(all.subarray(row * width, (row + 1) * width), row * (width + 1) + 1);
  return out;
}

/** Selects rows of numbers and appends one more number to each. */
export function appendColumn(
  all: Int32Array,
  past: number,
  from: Int32Array,
  added: (i: number) => number,
): Int32Array {
  const out = new Int32Array(from.length * (past + 1));
  from.forEach((row, i) => {
    out.set(all.subarray(row * past, (row + 1) * past), i * (past + 1));
    out[(i + 1) * (past + 1) - 1] = added(i);
  });
  return out;
}

/** Returns the batch of one more token in each row. */
export function decodeBatch(
  { prompts, pastLength: past }: Readonly<{ prompts: Batch; pastLength: number }>,
  prefix: string,
  of: Int32Array,
  now: Readonly<{ tokens: Int32Array; position: Int32Array; segments: Int32Array; positions: Int32Array }>,
): Batch {
  const rows = of.length;
  const order = Int32Array.from({ length: rows }, (_, i) => i);
  const tensor = (data: Int32Array, ...dims: number[]): Tensor => ({ dtype: "int32", dims, data });
  const inputs: Record<string, Tensor> = {
    [`${prefix}input_ids`]: tensor(now.tokens, rows, 1),
    [`${prefix}segments`]: tensor(new Int32Array(rows).fill(1), rows, 1),
    [`${prefix}sequence_ids`]: tensor(order, rows, 1),
    [`${prefix}positions`]: tensor(now.position, rows, 1),
    [`${prefix}columns`]: tensor(Int32Array.of(past), 1),
    [`${prefix}first`]: tensor(order, rows),
    [`${prefix}last`]: tensor(order, rows),
    [LOGITS_AT]: tensor(order, rows),
    key_segments: tensor(now.segments, rows, past + 1),
    key_positions: tensor(now.positions, rows, past + 1),
    key_columns: tensor(Int32Array.from({ length: past + 1 }, (_, i) => i), past + 1),
  };
  // Virtual tokens of an adapter are in front of prompts only.
  if (prompts.inputs.virtual) inputs.virtual = tensor(new Int32Array(rows), rows, 1);
  const places = Int32Array.from({ length: 2 * rows }, (_, i) => (i & 1 ? past : i >> 1));
  const shared = { batch: rows, samples: rows, sequences: rows, tokens: rows, pastLength: past };
  const samples = of.map((row) => prompts.rows[row] ?? 0);
  if (!prompts.decoder) return { ...shared, inputs, seq: 1, rows: samples, tokenOrigins: places };
  const { seq } = prompts;
  const read = new Int32Array(rows * seq);
  const all = ints(prompts.inputs.segments);
  of.forEach((row, i) => read.set(all.subarray(row * seq, (row + 1) * seq), i * seq));
  return {
    ...shared,
    inputs: { ...inputs, segments: tensor(read, rows, seq) },
    seq,
    rows: samples,
    tokenOrigins: new Int32Array(2 * rows * seq).fill(-1),
    decoder: { seq: 1, tokenOrigins: places, inputs: Object.keys(inputs) },
  };
}

/** Returns the data of an int32 tensor; an empty array if it is absent. */
export function ints(tensor: Tensor | undefined): Int32Array {
  return (tensor?.data ?? new Int32Array(0)) as Int32Array;
}
