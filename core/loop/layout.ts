/**
 * Samples to one batch: each sequence in a row of its own (padding), or short ones sharing rows.
 * @module
 */
import { badValue } from "../errors.ts";
import type { Tensor, TensorData } from "../tensor.ts";
import type { Batch, Field, Layout, Sample } from "../types.ts";

/** Rows shorter than this are filled up with other sequences where rows are shared. */
const SHARED_LENGTH = 64;

/** Padding as Hugging Face does it by default: to the longest, on the right. */
export const plainLayout: Layout = {
  side: "right",
  padToMultipleOf: 1,
  padToLength: 0,
  share: false,
  reserve: { tokens: 0, positions: 0 },
};

/**
 * Lays samples out as one batch [batch, seq], every field of theirs with it.
 *
 * @throws AttuneError where samples disagree about their fields.
 */
export function layOut(samples: readonly Sample[], layout: Layout): Batch {
  const sequences = samples.flatMap((sample) => sample.sequences);
  const lengths = sequences.map((s) => s.length);
  const longest = Math.max(1, layout.padToLength, ...lengths);
  const rows = layout.share ? shareRows(lengths, Math.max(longest, SHARED_LENGTH)) : lengths.map((_, i) => [i]);
  const used = rows.map((row) => row.reduce((total, i) => total + (lengths[i] ?? 0), 0));
  const multiple = layout.padToMultipleOf;
  const seq = Math.ceil(Math.max(layout.share ? 1 : longest, ...used) / multiple) * multiple;
  const batch = rows.length;

  const segments = new Int32Array(batch * seq);
  const positions = new Int32Array(batch * seq);
  const places = new Int32Array(batch * seq * 2).fill(-1);
  const first = new Int32Array(sequences.length);
  const last = new Int32Array(sequences.length);
  const starts = new Int32Array(sequences.length);
  rows.forEach((row, b) => {
    let at = b * seq + (layout.side === "left" ? seq - (used[b] ?? 0) : 0);
    row.forEach((i, k) => {
      const length = lengths[i] ?? 0;
      starts[i] = first[i] = at;
      last[i] = at + length - 1;
      for (let j = 0; j < length; j++) {
        segments[at + j] = k + 1;
        positions[at + j] = j;
        places[2 * (at + j)] = i;
        places[2 * (at + j) + 1] = j;
      }
      at += length;
    });
    // Padding behind the only sequence of a row goes on counting, as position ids do in torch.
    if (!layout.share && layout.side === "right") { for (; at < (b + 1) * seq; at++) positions[at] = at - b * seq; }
  });

  const inputs: Record<string, Tensor> = {};
  for (const [name, field] of Object.entries(sequences[0]?.fields ?? {})) {
    if (field.per !== "token") continue;
    if (field.ignore !== undefined) {
      Object.assign(inputs, labelledPlaces(name, field, sequences, starts));
      continue;
    }
    const size = field.size ?? 1;
    const data = filled(field, batch * seq * size);
    sequences.forEach((sequence, i) => {
      const own = sequence.fields[name];
      if (own?.data.length !== sequence.length * size) {
        throw badValue(
          "layout",
          `field "${name}" of sequence ${i}`,
          own?.data.length,
          `${sequence.length * size} values`,
        );
      }
      data.set(own.data, (starts[i] ?? 0) * size);
    });
    inputs[name] = { dtype: dtypeOf(data), dims: size === 1 ? [batch, seq] : [batch, seq, size], data };
  }
  inputs.segments = { dtype: "int32", dims: [batch, seq], data: segments };
  const sequence = Int32Array.from({ length: batch * seq }, (_, place) => places[2 * place] ?? -1);
  inputs.sequence_ids = { dtype: "int32", dims: [batch, seq], data: sequence };
  inputs.positions = { dtype: "int32", dims: [batch, seq], data: positions };
  inputs.first = { dtype: "int32", dims: [first.length], data: first };
  inputs.last = { dtype: "int32", dims: [last.length], data: last };
  if (layout.positions) skipPositions(inputs, places, layout.positions);
  Object.assign(inputs, targetsOf(samples));
  return {
    inputs,
    batch,
    seq,
    samples: samples.length,
    sequences: sequences.length,
    tokens: lengths.reduce((a, b) => a + b, 0),
    rows: Int32Array.from(samples, (s) => s.row),
    places,
  };
}

/** Which sequences share a row of at most `capacity` places: best fit, longest first. */
export function shareRows(lengths: readonly number[], capacity: number): number[][] {
  const order = lengths.map((_, i) => i).sort((a, b) => (lengths[b] ?? 0) - (lengths[a] ?? 0) || a - b);
  const rows: { free: number; members: number[] }[] = [];
  for (const i of order) {
    const length = lengths[i] ?? 0;
    let best: { free: number; members: number[] } | undefined;
    for (const row of rows) if (row.free >= length && (!best || row.free < best.free)) best = row;
    if (!best) rows.push(best = { free: capacity, members: [] });
    best.members.push(i);
    best.free -= length;
  }
  return rows.map((row) => row.members);
}

// RoBERTa counts tokens whose id is not the padding id, from padding id + 1.
function skipPositions(
  inputs: Record<string, Tensor>,
  places: Int32Array,
  { offset, skip }: Readonly<{ offset: number; skip: number }>,
): void {
  const ids = inputs.input_ids?.data;
  const positions = inputs.positions?.data as Int32Array;
  let count = 0;
  for (let i = 0; i < positions.length; i++) {
    if (places[2 * i + 1] === 0) count = 0;
    const counts = places[2 * i] !== -1 && Number(ids?.[i]) !== skip;
    positions[i] = counts ? offset + count++ : skip;
  }
}

/** Labels of places: those that count, and where they are. */
function labelledPlaces(
  name: string,
  field: Field,
  sequences: Sample["sequences"],
  starts: Int32Array,
): Record<string, Tensor> {
  const { ignore, data, size = 1 } = field;
  const found: { place: number; values: Float32Array | Int32Array }[] = [];
  sequences.forEach((sequence, i) => {
    const own = sequence.fields[name]?.data ?? data.subarray(0, 0);
    for (let j = 0; j < sequence.length; j++) {
      if (own[j * size] === ignore) continue;
      found.push({ place: (starts[i] ?? 0) + j, values: own.subarray(j * size, (j + 1) * size) });
    }
  });
  found.sort((a, b) => a.place - b.place);
  const kept = filled({ ...field, fill: 0 }, found.length * size);
  found.forEach(({ values }, i) => kept.set(values, i * size));
  const count = found.length;
  return {
    [name]: { dtype: dtypeOf(data), dims: size === 1 ? [count] : [count, size], data: kept },
    [`${name}.at`]: { dtype: "int32", dims: [count], data: Int32Array.from(found, (f) => f.place) },
  };
}

function targetsOf(samples: readonly Sample[]): Record<string, Tensor> {
  const targets: Record<string, Tensor> = {};
  for (const [name, field] of Object.entries(samples[0]?.targets ?? {})) {
    const size = field.size ?? 1;
    const data = filled(field, samples.length * size);
    samples.forEach((sample, i) => {
      const own = sample.targets[name];
      if (own?.data.length !== size) {
        throw badValue("layout", `target "${name}" of row ${sample.row}`, own?.data.length, `${size} values`);
      }
      data.set(own.data, i * size);
    });
    targets[name] = { dtype: dtypeOf(data), dims: size === 1 ? [samples.length] : [samples.length, size], data };
  }
  return targets;
}

function filled(field: Field, length: number): Float32Array | Int32Array {
  return (field.data instanceof Float32Array ? new Float32Array(length) : new Int32Array(length)).fill(field.fill);
}

function dtypeOf(data: TensorData): "float32" | "int32" {
  return data instanceof Float32Array ? "float32" : "int32";
}
