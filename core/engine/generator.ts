/**
 * What comes next: logits behind prompts (prefill), then behind one more token of each at a time (decode). The encoder runs
 * once, and keys and values of what was computed are kept.
 * @module
 */
import type { Tensor } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import type { Batch, Ort, OrtTensor } from "../types.ts";
import { CROSS_ATTENTION } from "./builder/key_value_cache.ts";
import type { Phase } from "./builder/options.ts";
import { type EvaluatorOptions, packedBytes } from "./evaluator.ts";
import { createKeyValueCache, type KeyValueCache } from "./key_value_cache.ts";
import { buildProgram, type Program, trainsRule } from "./program.ts";
import { openSession, type Session } from "./sessions.ts";

/** Where generation stands: for each row logits [rows, vocabSize] of its next token, and what is kept of it. */
export type Step = Readonly<{
  rows: number;
  vocabSize: number;
  logits: Float32Array;
  keyValueCache: KeyValueCache;
  /** Keys and values of the other side, which stay as they are. */
  cross: ReadonlyMap<string, OrtTensor>;
  /** Fed parameters. */
  weights: Readonly<Record<string, OrtTensor>>;
  /** The prompts' batch, and which of its rows each row continues. */
  prompts: Batch;
  of: Int32Array;
  /** What the kept places are, [rows, past] each, and where the next token stands. */
  segments: Int32Array;
  positions: Int32Array;
  pastLength: number;
  next: Int32Array;
}>;

/** Computes steps; its sessions are opened when they are first asked for. */
export interface Generator {
  /** Behind the prompts of a batch, one sequence in each row. `weights`: in place of those that the generator has. */
  prefill(batch: Batch, weights?: Readonly<Record<string, OrtTensor>>): Promise<Step>;
  /** Behind one more token: `from` says which row of the step before each row continues. A step is continued once. */
  decode(step: Step, from: Int32Array, tokens: Int32Array): Promise<Step>;
  close(): Promise<void>;
}

type Opened = Readonly<{ program: Program; session: Session }>;
type Computed = Pick<Step, "rows" | "vocabSize" | "logits"> & Readonly<{ kept: ReadonlyMap<string, OrtTensor> }>;
type Kept = ReadonlyMap<string, OrtTensor>;

/** A generator over the weights that an evaluator computes with. */
export function createGenerator(options: EvaluatorOptions): Generator {
  const lib = options.host.lib as Ort;
  const alone = options.backbone.decoderStartTokenId === undefined;
  const prefix = alone ? "" : "decoder_";
  const sessions = generationSessions(options);
  const run = async (phase: Phase, batch: Batch, kept: Kept, weights: Step["weights"]): Promise<Computed> => {
    const { program, session } = await sessions.opened(phase);
    const rows = batch.sequences;
    const behind = kept.size > 0 ? kept : nothingKept(lib, session, rows);
    const known = [...Object.entries(weights), ...behind];
    const extra = Object.fromEntries(known.filter(([name]) => session.feeds.has(name)));
    const results = await session.run(await options.feeder.feeds(session, program.recorded, batch, extra, undefined));
    const logits = results.logits as OrtTensor;
    const outputs = [...program.recorded.keyValueCache.keys()].map((name) =>
      [name, results[`kept.${name}`] as OrtTensor] as const
    );
    const [, vocabSize = 0] = logits.dims;
    return { rows, vocabSize, logits: logits.data as Float32Array, kept: new Map(outputs) };
  };
  return {
    prefill: async (batch, weights = options.weights) => {
      const side = batch.decoder ?? batch;
      const last = batch.inputs[`${prefix}last`] as Tensor;
      const asked = withPlaces(batch, last);
      // A decoder alone has one graph: a prompt is what comes behind nothing.
      const { kept, ...result } = await run(
        alone ? "decode" : "prefill",
        alone ? behindNothing(asked) : asked,
        new Map(),
        weights,
      );
      const keyValueCache = createKeyValueCache(lib);
      const isCross = ([name]: readonly [string, unknown]): boolean => name.startsWith(CROSS_ATTENTION);
      keyValueCache.append(new Map([...kept].filter((entry) => !isCross(entry))));
      const positions = ints(batch.inputs[`${prefix}positions`]);
      return {
        ...result,
        keyValueCache,
        cross: new Map([...kept].filter(isCross)),
        weights,
        prompts: batch,
        of: Int32Array.from({ length: result.rows }, (_, i) => i),
        segments: ints(batch.inputs[`${prefix}segments`]),
        positions,
        pastLength: side.seq,
        next: ints(last).map((place) => (positions[place] ?? 0) + 1),
      };
    },
    decode: async (step, from, tokens) => {
      const { keyValueCache } = step;
      if (keyValueCache.places !== step.pastLength) throw new RangeError("A step of generation is continued once");
      const of = from.map((row) => step.of[row] ?? 0);
      const position = from.map((row) => step.next[row] ?? 0);
      const segments = grown(step.segments, step.pastLength, from, () => 1);
      const positions = grown(step.positions, step.pastLength, from, (i) => position[i] ?? 0);
      const batch = decodeBatch(step, prefix, of, { tokens, position, segments, positions });
      // Beams of one prompt read the same of the other side, whichever of them goes on.
      const samePrompts = of.length === step.of.length && of.every((prompt, i) => prompt === step.of[i]);
      const cross = samePrompts
        ? step.cross
        : new Map([...step.cross].map(([name, tensor]) => [name, chosenRows(lib, tensor, from)]));
      keyValueCache.choose(from);
      const { kept, ...result } = await run(
        "decode",
        batch,
        new Map([...cross, ...keyValueCache.feeds()]),
        step.weights,
      );
      keyValueCache.append(kept);
      return {
        ...step,
        ...result,
        cross,
        of,
        segments,
        positions,
        pastLength: step.pastLength + 1,
        next: position.map((p) => p + 1),
      };
    },
    close: () => sessions.close(),
  };
}

/** The sessions of generation, each opened when it is first asked for. */
function generationSessions(
  options: EvaluatorOptions,
): Readonly<{ opened(phase: Phase): Promise<Opened>; close(): Promise<void> }> {
  const known = new Map<Phase, Opened>();
  return {
    opened: async (phase) => {
      const found = known.get(phase);
      if (found) return found;
      const program = buildProgram({
        ...options,
        mode: "generate",
        phase,
        losses: [],
        checkpointing: false,
        isTrainable: trainsRule(options.attached),
        targets: { [AT]: { dtype: "int32", dims: [0], data: new Int32Array(0) } },
      });
      const { host, fed, prepackLimit = 0 } = options;
      const fits = (copies: number): boolean =>
        host.provider === "cpu" && copies * packedBytes(program, fed) <= prepackLimit;
      const session = await openSession({
        ...options,
        graph: program.graph,
        parameters: program.recorded.parameters,
        prepack: fits(1),
        // Once rather than with each token. They are read into memory before they are packed.
        decoded: fits(2),
        arena: true,
      });
      const own = { program, session };
      known.set(phase, own);
      return own;
    },
    close: async () => {
      for (const { session } of known.values()) await session.close();
      known.clear();
    },
  };
}

/** The input that says which places have logits. */
const AT = "labels.at";

/** A batch that asks for logits at these places. */
function withPlaces(batch: Batch, at: Tensor): Batch {
  const { decoder } = batch;
  const side = decoder && { decoder: { ...decoder, inputs: [...decoder.inputs, AT] } };
  return { ...batch, inputs: { ...batch.inputs, [AT]: at }, ...side };
}

/** A batch of whole prompts for the graph that reads what came before: one place that nothing sees. */
function behindNothing(batch: Batch): Batch {
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

/** Rows of so many numbers, each with a zero in front. */
function grownInFront(all: Int32Array, rows: number, width: number): Int32Array {
  const out = new Int32Array(rows * (width + 1));
  for (let row = 0; row < rows; row++) out.set(all.subarray(row * width, (row + 1) * width), row * (width + 1) + 1);
  return out;
}

/** Keys and values of the one place that nothing sees. */
function nothingKept(lib: Ort, session: Session, rows: number): readonly (readonly [string, OrtTensor])[] {
  return [...session.feeds].filter(([, { shape }]) => shape[0] === "pastSeq").map(([name, { shape }]) => {
    const dims = [1, rows, ...shape.slice(2).map(Number)];
    return [name, new lib.Tensor("float32", new Float32Array(sizeOf(dims)), dims)];
  });
}

/** Chosen rows of so many numbers, each with one more behind. */
function grown(all: Int32Array, past: number, from: Int32Array, added: (i: number) => number): Int32Array {
  const out = new Int32Array(from.length * (past + 1));
  from.forEach((row, i) => {
    out.set(all.subarray(row * past, (row + 1) * past), i * (past + 1));
    out[(i + 1) * (past + 1) - 1] = added(i);
  });
  return out;
}

/** The batch of one more token in each row. */
function decodeBatch(
  { prompts, pastLength: past }: Step,
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
    [AT]: tensor(order, rows),
    key_segments: tensor(now.segments, rows, past + 1),
    key_positions: tensor(now.positions, rows, past + 1),
    key_columns: tensor(Int32Array.from({ length: past + 1 }, (_, i) => i), past + 1),
  };
  // Tokens of an adapter stand in front of prompts only.
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

/** Rows of a kept tensor; the tensor itself where they are all of it in order. */
function chosenRows(lib: Ort, tensor: OrtTensor, from: Int32Array): OrtTensor {
  const [rows = 0, ...rest] = tensor.dims;
  if (from.length === rows && from.every((row, i) => row === i)) return tensor;
  const width = sizeOf(rest);
  const data = tensor.data as Float32Array;
  const out = new Float32Array(from.length * width);
  from.forEach((row, i) => out.set(data.subarray(row * width, (row + 1) * width), i * width));
  return new lib.Tensor("float32", out, [from.length, ...rest]);
}

function ints(tensor: Tensor | undefined): Int32Array {
  return (tensor?.data ?? new Int32Array(0)) as Int32Array;
}
