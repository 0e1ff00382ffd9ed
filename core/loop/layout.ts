/** Lays samples out as a batch: each sequence in its own padded row, or short sequences sharing rows. */
import { badValue, tooMuch } from "../base/errors.ts";
import { most } from "../base/most.ts";
import type { Tensor, TensorData } from "../base/tensor.ts";
import type { Batch, BatchLayout, Field, Sample } from "../types.ts";
import { weightInput } from "../data/row_weight.ts";

/** Minimum length of shared rows, so that short sequences are combined. */
const SHARED_LENGTH = 64;

/**
 * Row length at which attention takes about as long as the rest of the model: about 560 in an encoder of width 384, 900
 * in a language model of width 576. Fewer and longer rows have less padding, but more pairs of positions.
 */
const ATTENTION_LENGTH = 512;

/** Number of other row counts to try for a batch, and the factor to which work must shrink for rows to be longer. */
const TRIED = 16;
const WORTH_LENGTHENING = 0.97;

/** Hugging Face's default padding: on the right, to the longest sequence. */
export const plainLayout: BatchLayout = {
  side: "right",
  padToMultipleOf: 1,
  padToLength: 0,
  rowSharing: false,
  reserve: { tokens: 0, positions: 0 },
};

/** One side (encoder or decoder) of a batch: the width of rows, the start of each sequence, the content of places. */
type SideLayout = Readonly<{
  seq: number;
  starts: Int32Array;
  first: Int32Array;
  last: Int32Array;
  segments: Int32Array;
  positions: Int32Array;
  places: Int32Array;
  virtual: Int32Array;
  /** Number of virtual places in front of each sequence. */
  reserved: number;
}>;

/** Returns the batch of the longest samples, which takes the most memory of all possible batches. */
export function largestBatch(samples: readonly Sample[], size: number, layout: BatchLayout): Batch {
  return layOut(longestFirst(samples).slice(0, size), layout);
}

/** Returns samples sorted by the length of their first sequence, the longest first. */
function longestFirst(samples: readonly Sample[]): Sample[] {
  const tokensOf = ({ sequences: [first] }: Sample): number => (first?.length ?? 0) + (first?.decoderLength ?? 0);
  return [...samples].sort((a, b) => tokensOf(b) - tokensOf(a));
}

/**
 * Lays samples with all their fields out as one batch [batch, seq]; if sequences have a decoder side, that side is
 * [batch, decoderSeq], with each sequence in the same row. If adapters reserve tokens, each input sequence has that
 * many virtual tokens in front, numbered from 1 in `virtual` [batch, seq] (0: none). In `places` they are numbered
 * after the last token, so that the positions of real tokens do not change.
 *
 * @throws AttuneError if samples disagree about their fields.
 */
export function layOut(samples: readonly Sample[], layout: BatchLayout): Batch {
  const sequences = samples.flatMap((sample) => weighSequences(sample));
  const lengths = sequences.map((s) => s.length);
  const decoderLengths = sequences.map((s) => s.decoderLength ?? 0);
  const hasDecoder = sequences.some((s) => s.decoderLength !== undefined);
  const sizes = lengths.map((length) => length + layout.reserve.tokens);
  const sides = hasDecoder ? [sizes, decoderLengths] : [sizes];
  const rows = samples.some((sample) => sample.packed)
    ? rowsOf(samples)
    : layout.rowSharing
    ? cheapestRows(sides, sides.map((side, i) => Math.max(SHARED_LENGTH, i === 0 ? layout.padToLength : 0, ...side)))
    : lengths.map((_, i) => [i]);
  const { tokens, positions } = layout.reserve;
  const stream = { tokens, positions: hasDecoder ? 0 : positions };
  const input = layOutSide(lengths, rows, { ...layout, reserve: stream });
  const other = { ...layout, padToLength: 0, reserve: { tokens: 0, positions } };
  const decoder = hasDecoder ? layOutSide(decoderLengths, rows, other) : undefined;
  const inputs: Record<string, Tensor> = {
    ...fieldsOf(sequences, "token", lengths, rows.length, input),
    ...pairsOf(sequences, rows.length, input),
    ...placeInputs("", rows.length, input),
  };
  if (layout.reserve.tokens > 0) {
    inputs.virtual = { dtype: "int32", dims: [rows.length, input.seq], data: input.virtual };
  }
  const decoderInputs = decoder && {
    ...fieldsOf(sequences, "decoderToken", decoderLengths, rows.length, decoder),
    ...placeInputs("decoder_", rows.length, decoder),
  };
  if (layout.positions) {
    setPositions(inputs.input_ids, input, layout.positions, stream.positions);
    if (decoder) setPositions(decoderInputs?.decoder_input_ids, decoder, layout.positions);
  }
  if (layout.padTokenId !== undefined) skipPadding(input, inputs.input_ids, layout.padTokenId);
  return {
    inputs: { ...inputs, ...decoderInputs, ...membersOf(samples), ...targetsOf(samples, decoder ?? input) },
    batch: rows.length,
    seq: input.seq,
    samples: samples.length,
    sequences: sequences.length,
    tokens: lengths.reduce((a, b) => a + b, 0),
    ...(samples.some((s) => s.weight !== undefined) && { weight: samples.reduce((n, s) => n + (s.weight ?? 1), 0) }),
    rows: Int32Array.from(samples, (s) => s.row),
    tokenOrigins: input.places,
    ...(layout.task === undefined ? {} : { task: layout.task }),
    ...(samples.some((s) => s.metadata !== undefined) && { metadata: samples.map((s) => s.metadata) }),
    ...(samples.some((s) => s.columns !== undefined) && { columns: samples.map((s) => s.columns) }),
    ...(decoder &&
      { decoder: { seq: decoder.seq, tokenOrigins: decoder.places, inputs: Object.keys(decoderInputs ?? {}) } }),
  };
}

/** Returns the sequences of a sample, with the row's weight if it has one. */
export function weighSequences({ sequences, weight }: Sample): Sample["sequences"] {
  if (weight === undefined) return sequences;
  return sequences.map((sequence) => (sequence.weight === undefined ? { ...sequence, weight } : sequence));
}

/** Returns rows as long as the longest sequence, or longer, evenly filled ones if that reduces the work. */
function cheapestRows(
  sides: readonly (readonly number[])[],
  capacities: readonly number[],
): readonly (readonly number[])[] {
  const shared = shareRows(sides, capacities);
  const [lengths = []] = sides;
  // Two sides cannot both be filled evenly.
  if (sides.length > 1) return shared;
  const work = (rows: readonly (readonly number[])[]): number => {
    const longest = rows.reduce((most, row) => Math.max(most, row.reduce((n, i) => n + (lengths[i] ?? 0), 0)), 0);
    return rows.length * longest * (1 + longest / ATTENTION_LENGTH);
  };
  let [best, least] = [shared, WORTH_LENGTHENING * work(shared)];
  const fewest = Math.ceil(shared.length / 3);
  const step = Math.ceil((shared.length - fewest) / TRIED);
  for (let count = shared.length - step; step > 0 && count >= fewest; count -= step) {
    const even = evenRows(lengths, count);
    const layout = work(even);
    if (layout < least) [best, least] = [even, layout];
  }
  return best;
}

/** Distributes sequences evenly over `count` rows: the longest first, each into the row with the fewest tokens. */
function evenRows(lengths: readonly number[], count: number): number[][] {
  const order = lengths.map((_, i) => i).sort((a, b) => (lengths[b] ?? 0) - (lengths[a] ?? 0) || a - b);
  const rows = Array.from({ length: count }, () => ({ used: 0, members: [] as number[] }));
  for (const i of order) {
    const row = rows.reduce((least, other) => (other.used < least.used ? other : least));
    row.members.push(i);
    row.used += lengths[i] ?? 0;
  }
  return rows.map(({ members }) => members);
}

/** Returns one row for each sample, with all of its sequences. */
function rowsOf(samples: readonly Sample[]): number[][] {
  let next = 0;
  return samples.map((sample) => sample.sequences.map(() => next++));
}

function layOutSide(real: readonly number[], rows: readonly (readonly number[])[], layout: BatchLayout): SideLayout {
  const { tokens: reserved, positions: shift } = layout.reserve;
  const lengths = real.map((length) => length + reserved);
  const longest = Math.max(1, layout.padToLength + reserved, ...lengths);
  const used = rows.map((row) => row.reduce((total, i) => total + (lengths[i] ?? 0), 0));
  const multiple = layout.padToMultipleOf;
  const seq = Math.ceil(Math.max(layout.rowSharing ? 1 : longest, ...used) / multiple) * multiple;
  const size = rows.length * seq;
  if (size > most.places) throw tooMuch("engine", "a batch", "places (rows by their padded length)", size, most.places);
  const segments = new Int32Array(size);
  const positions = new Int32Array(size);
  const places = new Int32Array(size * 2).fill(-1);
  const virtual = new Int32Array(size);
  const first = new Int32Array(lengths.length);
  const last = new Int32Array(lengths.length);
  const starts = new Int32Array(lengths.length);
  rows.forEach((row, b) => {
    let at = b * seq + (layout.side === "left" ? seq - (used[b] ?? 0) : 0);
    row.forEach((i, k) => {
      const length = lengths[i] ?? 0;
      first[i] = at;
      starts[i] = at + reserved;
      last[i] = at + length - 1;
      for (let j = 0; j < length; j++) {
        segments[at + j] = k + 1;
        positions[at + j] = shift + j;
        places[2 * (at + j)] = i;
        places[2 * (at + j) + 1] = j < reserved ? length - reserved + j : j - reserved;
        if (j < reserved) virtual[at + j] = j + 1;
      }
      at += length;
    });
    // Positions continue through the padding after a row's only sequence, as in torch.
    if (!layout.rowSharing && layout.side === "right") {
      for (; at < (b + 1) * seq; at++) positions[at] = shift + at - b * seq;
    }
  });
  return { seq, starts, first, last, segments, positions, places, virtual, reserved };
}

/** Returns the inputs that every side has, independent of its fields. */
function placeInputs(prefix: string, batch: number, side: SideLayout): Record<string, Tensor> {
  const { seq, places } = side;
  const sequence = Int32Array.from({ length: batch * seq }, (_, place) => places[2 * place] ?? -1);
  const ints = (data: Int32Array, dims: readonly number[]): Tensor => ({ dtype: "int32", dims, data });
  return {
    [`${prefix}segments`]: ints(side.segments, [batch, seq]),
    [`${prefix}sequence_ids`]: ints(sequence, [batch, seq]),
    [`${prefix}positions`]: ints(side.positions, [batch, seq]),
    [`${prefix}columns`]: ints(Int32Array.from({ length: seq }, (_, i) => i), [seq]),
    [`${prefix}first`]: ints(side.first, [side.first.length]),
    [`${prefix}last`]: ints(side.last, [side.last.length]),
  };
}

/** Returns fields of pairs of places [batch, seq, seq], with each sequence's square at its place in the row's. */
function pairsOf(sequences: Sample["sequences"], batch: number, { seq, starts }: SideLayout): Record<string, Tensor> {
  const inputs: Record<string, Tensor> = {};
  for (const [name, field] of Object.entries(sequences[0]?.fields ?? {})) {
    if (field.axis !== "pair") continue;
    const data = filled(field, batch * seq * seq);
    sequences.forEach((sequence, i) => {
      const n = sequence.length;
      const field = sequence.fields[name]?.data;
      if (field?.length !== n * n) {
        throw badValue("layout", `field "${name}" of sequence ${i}`, field?.length, `${n * n} values`);
      }
      const start = starts[i] ?? 0;
      for (let k = 0; k < n; k++) data.set(field.subarray(k * n, (k + 1) * n), (start + k) * seq + (start % seq));
    });
    inputs[name] = { dtype: dtypeOf(data), dims: [batch, seq, seq], data };
  }
  return inputs;
}

function fieldsOf(
  sequences: Sample["sequences"],
  per: Field["axis"],
  lengths: readonly number[],
  batch: number,
  { seq, starts, reserved }: SideLayout,
): Record<string, Tensor> {
  const inputs: Record<string, Tensor> = {};
  for (const [name, field] of Object.entries(sequences[0]?.fields ?? {})) {
    if (field.axis !== per) continue;
    if (field.ignoreIndex !== undefined) {
      Object.assign(inputs, labelledPlaces(name, field, sequences, lengths, starts, reserved));
      continue;
    }
    const size = field.size ?? 1;
    const data = filled(field, batch * seq * size);
    sequences.forEach((sequence, i) => {
      const field = sequence.fields[name];
      const values = (lengths[i] ?? 0) * size;
      if (field?.data.length !== values) {
        throw badValue("layout", `field "${name}" of sequence ${i}`, field?.data.length, `${values} values`);
      }
      data.set(field.data, (starts[i] ?? 0) * size);
    });
    inputs[name] = { dtype: dtypeOf(data), dims: size === 1 ? [batch, seq] : [batch, seq, size], data };
  }
  return inputs;
}

/**
 * Returns which sequences share a row, by best-fit decreasing on the first side. `sides`: the lengths of all sequences
 * on each side; `capacities`: the places of a row on each side.
 */
export function shareRows(sides: readonly (readonly number[])[], capacities: readonly number[]): number[][] {
  const lengths = sides[0] ?? [];
  const order = lengths.map((_, i) => i).sort((a, b) => (lengths[b] ?? 0) - (lengths[a] ?? 0) || a - b);
  const rows: { free: number[]; members: number[] }[] = [];
  for (const i of order) {
    let best: { free: number[]; members: number[] } | undefined;
    for (const row of rows) {
      const fits = sides.every((side, s) => (row.free[s] ?? 0) >= (side[i] ?? 0));
      if (fits && (!best || (row.free[0] ?? 0) < (best.free[0] ?? 0))) best = row;
    }
    if (!best) rows.push(best = { free: [...capacities], members: [] });
    best.members.push(i);
    best.free = best.free.map((free, s) => free - (sides[s]?.[i] ?? 0));
  }
  return rows.map((row) => row.members);
}

// Sets positions from an offset on. In RoBERTa they skip tokens of one id (padding), whose position is that id.
function setPositions(
  ids: Tensor | undefined,
  { positions, places, virtual }: SideLayout,
  { offset, skip }: Readonly<{ offset: number; skip?: number }>,
  shift = 0,
): void {
  let count = 0;
  for (let i = 0; i < positions.length; i++) {
    if (skip === undefined) {
      positions[i] = (positions[i] ?? 0) + offset;
      continue;
    }
    if (places[2 * i] !== places[2 * i - 2]) count = 0;
    const counts = places[2 * i] !== -1 && ((virtual[i] ?? 0) > 0 || Number(ids?.data[i]) !== skip);
    positions[i] = counts ? offset + shift + count++ : skip;
  }
}

// Moves the last place of a sequence before its own trailing padding ids; if it has no others, to its first place.
function skipPadding({ first, last }: SideLayout, ids: Tensor | undefined, pad: number): void {
  for (let i = 0; i < last.length; i++) {
    let at = last[i] ?? 0;
    while (at > (first[i] ?? 0) && Number(ids?.data[at]) === pad) at--;
    last[i] = at;
  }
}

/** Returns the labels per place that count, and their places. */
function labelledPlaces(
  name: string,
  field: Field,
  sequences: Sample["sequences"],
  lengths: readonly number[],
  starts: Int32Array,
  reserved: number,
): Record<string, Tensor> {
  const { ignoreIndex: ignore, data, size = 1, shift = 0 } = field;
  const targets: { place: number; values: Float32Array | Int32Array; weight?: number | undefined }[] = [];
  sequences.forEach((sequence, i) => {
    const fieldData = sequence.fields[name]?.data ?? data.subarray(0, 0);
    // With virtual tokens in front, even the first tokens are predicted.
    for (let j = Math.max(0, shift - reserved); j < (lengths[i] ?? 0); j++) {
      if (fieldData[j * size] === ignore) continue;
      const values = fieldData.subarray(j * size, (j + 1) * size);
      targets.push({ place: (starts[i] ?? 0) + j - shift, values, weight: sequence.weight });
    }
  });
  // A batch needs at least one place. If no label counts, it gets an ignored one, and the sum of the loss is zero.
  if (targets.length === 0) {
    const values = filled({ ...field, padValue: ignore ?? 0 }, size);
    targets.push({ place: starts[0] ?? 0, values, weight: sequences[0]?.weight });
  }
  targets.sort((a, b) => a.place - b.place);
  const tensor = filled({ ...field, padValue: 0 }, targets.length * size);
  targets.forEach(({ values }, i) => tensor.set(values, i * size));
  const count = targets.length;
  return {
    [name]: { dtype: dtypeOf(data), dims: size === 1 ? [count] : [count, size], data: tensor },
    [`${name}.at`]: { dtype: "int32", dims: [count], data: Int32Array.from(targets, (f) => f.place) },
    ...weightsOf(name, targets),
  };
}

/** Returns the indices of each sample's sequences, [samples, most sequences], padded with -1. */
function membersOf(samples: readonly Sample[]): Record<string, Tensor> {
  const width = Math.max(...samples.map((s) => s.sequences.length));
  const data = new Int32Array(samples.length * width).fill(-1);
  let sequence = 0;
  samples.forEach((sample, i) => {
    for (let k = 0; k < sample.sequences.length; k++) data[i * width + k] = sequence++;
  });
  return { members: { dtype: "int32", dims: [samples.length, width], data } };
}

function targetsOf(samples: readonly Sample[], { starts, seq }: SideLayout): Record<string, Tensor> {
  let sequence = 0;
  // The start column of each sample's first sequence, on the side that heads read.
  const columns = samples.map((sample) => {
    const start = starts[sequence] ?? 0;
    sequence += sample.sequences.length;
    return start % seq;
  });
  const targets: Record<string, Tensor> = {};
  for (const [name, field] of Object.entries(samples[0]?.targets ?? {})) {
    const size = field.size ?? 1;
    const data = filled(field, samples.length * size);
    samples.forEach((sample, i) => {
      const target = sample.targets[name];
      if (target?.data.length !== size) {
        throw badValue("layout", `target "${name}" of row ${sample.row}`, target?.data.length, `${size} values`);
      }
      data.set(target.column ? target.data.map((place) => place + (columns[i] ?? 0)) : target.data, i * size);
    });
    targets[name] = { dtype: dtypeOf(data), dims: size === 1 ? [samples.length] : [samples.length, size], data };
    Object.assign(targets, weightsOf(name, samples));
  }
  return targets;
}

/** Returns the weights of a target's rows, if there are any. */
function weightsOf(name: string, rows: readonly Readonly<{ weight?: number | undefined }>[]): Record<string, Tensor> {
  if (rows.every(({ weight }) => weight === undefined)) return {};
  const data = Float32Array.from(rows, ({ weight }) => weight ?? 1);
  return { [weightInput(name)]: { dtype: "float32", dims: [rows.length], data } };
}

function filled(field: Field, length: number): Float32Array | Int32Array {
  return (field.data instanceof Float32Array ? new Float32Array(length) : new Int32Array(length)).fill(field.padValue);
}

function dtypeOf(data: TensorData): "float32" | "int32" {
  return data instanceof Float32Array ? "float32" : "int32";
}
