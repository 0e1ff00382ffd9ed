/** The feeds of a session for a batch: inputs, dropout masks, selected places, vectors of sizes. */
import { AttuneError, badValue } from "../base/errors.ts";
import { type Dim, type DimValues, evaluateShape, mulDims, seqDim } from "../graph/ops/dims.ts";
import { choosePlaces, picksDim } from "../graph/row_selection.ts";
import { createMemory, type KernelMemory } from "../kernels/kernels.ts";
import { fillUniform, type Random } from "../math/random.ts";
import { sizeOf, type Tensor } from "../base/tensor.ts";
import type { Batch, Ort, OrtTensor } from "../types.ts";
import type { BuildInfo } from "./builder/context.ts";
import type { DropoutMask } from "./builder/dropout.ts";
import { countDim } from "./builder/tokens.ts";
import type { Session } from "./sessions.ts";
import { shapeFeeds } from "./lower/lower.ts";

/**
 * The sequence number of padding. Attention masks leave padding uninitialised, multiplied only with zero probabilities;
 * read as a float, this number is -0 (and small counts are nearly 0), while -1 would be NaN.
 */
const PADDING = -(2 ** 31);

/** What a batch's random masks depend on. `sequence`: the number of the batch's first sequence within the step. */
export type RandomContext = Readonly<{ random: Random; step: number; sequence: number }>;

/** Makes feeds, with one buffer for masks that is reused. */
export interface Feeder {
  feeds(
    session: Pick<Session, "feeds" | "shapes">,
    recorded: BuildInfo,
    batch: Batch,
    extra: Readonly<Record<string, OrtTensor>>,
    moment: RandomContext | undefined,
  ): Promise<Record<string, OrtTensor>>;
}

/** Creates a feeder for an onnxruntime module. `renumber`: the new numbers of ids, by graph input. */
export function createFeeder(
  lib: Ort,
  renumber: ReadonlyMap<string, Int32Array>,
  wasm: WebAssembly.Module | undefined,
): Feeder {
  let memory: KernelMemory | undefined;
  return {
    feeds: async (session, recorded, batch, extra, moment) => {
      const feeds: Record<string, OrtTensor> = { ...extra };
      const dims: Record<string, number> = { ...dimsOf(batch) };
      const picked = selectRows(session.feeds.keys(), batch, dims);
      checkIds(recorded, batch);
      const masks: { mask: DropoutMask; dims: number[] }[] = [];
      for (const name of session.feeds.keys()) {
        if (feeds[name]) continue;
        const mask = recorded.masks.get(name);
        if (mask) {
          masks.push({ mask, dims: evaluateShape(mask.shape, dims) });
          continue;
        }
        const tensor = picked.get(name) ?? batch.inputs[name];
        if (!tensor) throw missingInput(name, batch);
        feeds[name] = new lib.Tensor(tensor.dtype, renumbered(tensor, renumber.get(name)), tensor.dims);
      }
      for (const [name, data] of shapeFeeds(session.shapes, dims)) {
        feeds[name] = new lib.Tensor("int64", data, [data.length]);
      }
      if (masks.length > 0 && moment) {
        const values = masks.reduce((total, m) => total + sizeOf(m.dims) + 2 * (m.dims[0] ?? 0) + 32, 0) +
          2 * 2 * sizeOf([batch.batch, batch.seq + (batch.decoder?.seq ?? 0)]) * 2;
        if (!memory || memory.buffer.byteLength < 4 * values + 65536) {
          memory = await createMemory(Math.ceil(1.25 * 4 * values) + 131072, { module: wasm });
        }
        memory.reset();
        drawMasks(
          memory,
          masks,
          batch,
          picked,
          moment,
          (name, data, dims) => (feeds[name] = new lib.Tensor("float32", data, dims)),
        );
      }
      return feeds;
    },
  };
}

/** Feeds `<index>.picks` and `<index>.unpick` where the graph selects places, and sets the dim of picks per row. */
function selectRows(inputs: Iterable<string>, batch: Batch, dims: Record<string, number>): Map<string, Tensor> {
  const picked = new Map<string, Tensor>();
  for (const name of inputs) {
    if (!name.endsWith(".picks")) continue;
    const index = name.slice(0, -".picks".length);
    const places = batch.inputs[index];
    if (!places) throw missingInput(index, batch);
    const { seq } = sideOf(batch, index);
    const { picks, unpick, perRow } = choosePlaces(places.data as Int32Array, batch.batch, seq);
    dims[picksDim(index)] = perRow;
    picked.set(name, { dtype: "int32", dims: [picks.length], data: picks });
    picked.set(`${index}.unpick`, { dtype: "int32", dims: [unpick.length], data: unpick });
  }
  return picked;
}

/** Checks that ids are within their tables, because the runtime's own message would not name the input. */
function checkIds(recorded: BuildInfo, batch: Batch): void {
  for (const p of recorded.parameters.values()) {
    for (const name of p.ids) checkRows(name, p.name, p.shape[0] ?? 0, batch);
  }
}

function checkRows(name: string, table: string, rows: number, batch: Batch): void {
  const ids = batch.inputs[name]?.data;
  if (!(ids instanceof Int32Array)) return;
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] ?? 0;
    if (id >= 0 && id < rows) continue;
    const sequence = sideOf(batch, name).tokenOrigins[2 * i] ?? -1;
    const row = sequence < 0 ? "padding" : `row ${batch.rows[Math.min(sequence, batch.rows.length - 1)]}`;
    throw badValue("engine", `${name} of ${row}`, id, `an id from 0 to ${rows - 1} (${table} has ${rows} rows)`);
  }
}

/** Returns the side of a batch that an input belongs to. */
function sideOf(batch: Batch, input: string): Readonly<{ seq: number; tokenOrigins: Int32Array }> {
  return batch.decoder?.inputs.includes(input) ? batch.decoder : batch;
}

/** Draws uniform numbers, which depend on a place's sequence and its index there; zero at padding. */
function drawNoise(out: Float32Array, places: Int32Array, width: number, random: Random): void {
  for (let i = 0; i < places.length / 2; i++) {
    const row = out.subarray(i * width, (i + 1) * width);
    const sequence = places[2 * i] ?? -1;
    if (sequence < 0) row.fill(0);
    else fillUniform(random.fork(sequence, places[2 * i + 1] ?? 0), row, 1);
  }
}

function renumbered(tensor: Tensor, numbers: Int32Array | undefined): Tensor["data"] {
  if (!numbers || !(tensor.data instanceof Int32Array)) return tensor.data;
  return tensor.data.map((id) => numbers[id] ?? 0);
}

function drawMasks(
  memory: KernelMemory,
  masks: readonly Readonly<{ mask: DropoutMask; dims: number[] }>[],
  batch: Batch,
  picked: ReadonlyMap<string, Tensor>,
  moment: RandomContext,
  give: (name: string, data: Float32Array, dims: readonly number[]) => void,
): void {
  const key = moment.random.fork("dropout", moment.step).key;
  const shifted = (places: Int32Array): Int32Array => {
    const indices = memory.allocI32(places.length);
    for (let i = 0; i < places.length; i += 2) {
      const sequence = places[i] ?? -1;
      indices[i] = sequence < 0 ? PADDING : sequence + moment.sequence;
      indices[i + 1] = Math.max(0, places[i + 1] ?? 0);
    }
    return indices;
  };
  const at = (index: string, rows: ArrayLike<number>): Int32Array => {
    const { tokenOrigins: places } = sideOf(batch, index);
    return shifted(
      Int32Array.from({ length: 2 * rows.length }, (_, i) => places[2 * Number(rows[i >> 1]) + (i & 1)] ?? -1),
    );
  };
  const known = new Map<Dim, Int32Array>();
  // The places of a mask's rows, by the dim that counts them.
  const placesOf = (dim: Dim): Int32Array => {
    let size = known.get(dim);
    if (size) return size;
    if (dim === "sequences") {
      size = shifted(Int32Array.from({ length: 2 * batch.sequences }, (_, i) => (i & 1 ? 0 : i >> 1)));
    }
    for (const [name, tensor] of picked) {
      if (dim === mulDims("batch", name) || dim === name) {
        size ??= at(name.slice(0, -".picks".length), tensor.data as Int32Array);
      }
    }
    for (const [name, tensor] of Object.entries(batch.inputs)) {
      if (dim === countDim(name)) size ??= at(name, tensor.data as Int32Array);
    }
    const decoder = String(dim).split(/\W+/).includes(seqDim("decoder")) ? batch.decoder : undefined;
    size ??= shifted((decoder ?? batch).tokenOrigins);
    known.set(dim, size);
    return size;
  };
  for (const { mask, dims } of masks) {
    const [rows = "", , queries = "", keys = ""] = mask.shape;
    if (mask.shape.length === 4 && mask.p !== undefined) {
      const [from, to] = [placesOf(queries), placesOf(keys)];
      const out = memory.alloc(sizeOf(dims));
      const [, heads = 1, q = 1, k = 1] = dims;
      memory.kernels.dropoutAttention(out, from, to, heads, q, k, mask.p, key, mask.site);
      give(mask.name, out, dims);
    } else {
      const out = memory.alloc(sizeOf(dims));
      const width = sizeOf(dims.slice(1));
      // A fixed number of rows means rows of a weight, not places: they use the micro-batch's first sequence.
      const places = typeof rows === "number"
        ? shifted(Int32Array.from({ length: 2 * rows }, (_, i) => (i & 1 ? i >> 1 : 0)))
        : placesOf(rows);
      if (mask.p === undefined) drawNoise(out, places, width, moment.random.fork("noise", moment.step, mask.site));
      else memory.kernels.dropoutRows(out, places, width, mask.p, key, mask.site);
      give(mask.name, out, dims);
    }
  }
}

/** Returns the values of a graph's dims for a batch, for estimates. */
export function dimsWith(inputs: Iterable<string>, batch: Batch): DimValues {
  const dims: Record<string, number> = { ...dimsOf(batch) };
  selectRows(inputs, batch, dims);
  return dims;
}

function dimsOf(batch: Batch): DimValues {
  const dims: Record<string, number> = { batch: batch.batch, seq: batch.seq, sequences: batch.sequences };
  if (batch.decoder) dims[seqDim("decoder")] = batch.decoder.seq;
  if (batch.pastLength !== undefined) dims.pastSeq = batch.pastLength;
  [dims.samples = 0, dims.members = 0] = batch.inputs.members?.dims ?? [];
  for (const [name, { dims: [count = 0] }] of Object.entries(batch.inputs)) {
    if (name.endsWith(".at")) dims[countDim(name)] = count;
  }
  return dims;
}

function missingInput(name: string, batch: Batch): AttuneError {
  return new AttuneError(`The model reads "${name}" but the collator makes ${Object.keys(batch.inputs).join(", ")}`, {
    code: "MISSING_INPUT",
    plugin: "engine",
    path: name,
    allowed: Object.keys(batch.inputs),
  });
}
