/**
 * The generator: logits of the token after prompts (prefill), then after one more token in each row at a time (decode).
 * The encoder runs once, and keys and values are cached.
 */
import { sizeOf, type Tensor } from "../base/tensor.ts";
import type { Batch, Ort, OrtTensor } from "../types.ts";
import { CROSS_ATTENTION } from "./builder/key_value_cache.ts";
import type { Phase } from "./builder/options.ts";
import type { EvaluatorOptions } from "./evaluator_options.ts";
import { afterDummyPlace, appendColumn, decodeBatch, ints, withPlaces } from "./generation_batches.ts";
import { createGenerationSessions, type GenerationSessions } from "./generation_sessions.ts";
import { createKeyValueCache, type KeyValueCache } from "./key_value_cache.ts";
import type { Session } from "./sessions.ts";

/** The state of generation: logits [rows, vocabSize] of each row's next token, and cached values. */
export type Step = Readonly<{
  rows: number;
  vocabSize: number;
  logits: Float32Array;
  keyValueCache: KeyValueCache;
  /** The keys and values of cross-attention, which do not change. */
  cross: ReadonlyMap<string, OrtTensor>;
  /** The fed parameters. */
  weights: Readonly<Record<string, OrtTensor>>;
  /** The batch of the prompts, and (`of`) which of its rows each row continues. */
  prompts: Batch;
  of: Int32Array;
  /** Segments and positions of the cached places, [rows, past] each, and (`next`) the position of the next token. */
  segments: Int32Array;
  positions: Int32Array;
  pastLength: number;
  next: Int32Array;
}>;

/** Computes steps; its sessions are opened on first use. */
export interface Generator {
  /** Processes the prompts of a batch, one sequence per row. `weights`: used in place of the generator's own. */
  prefill(batch: Batch, weights?: Readonly<Record<string, OrtTensor>>): Promise<Step>;
  /** Processes one more token per row; `from`: the row of `step` that each row continues. A step is continued once. */
  decode(step: Step, from: Int32Array, tokens: Int32Array): Promise<Step>;
  close(): Promise<void>;
}

/** The context of steps. `prefix`: the prefix of the names of the decoder's inputs. */
type Context = Readonly<{
  options: EvaluatorOptions;
  lib: Ort;
  sessions: GenerationSessions;
  /** Whether the model has only a decoder: then the same graph reads prompts, too. */
  decoderAlone: boolean;
  prefix: "" | "decoder_";
}>;
type KeysAndValues = ReadonlyMap<string, OrtTensor>;
type Computed = Pick<Step, "rows" | "vocabSize" | "logits"> & Readonly<{ added: KeysAndValues }>;

/** Creates a generator with an evaluator's weights. */
export function createGenerator(options: EvaluatorOptions): Generator {
  const decoderAlone = options.backbone.decoderStartTokenId === undefined;
  const sessions = createGenerationSessions(options);
  const context: Context = {
    options,
    lib: options.host.lib as Ort,
    sessions,
    decoderAlone,
    prefix: decoderAlone ? "" : "decoder_",
  };
  return {
    prefill: async (batch, weights = options.weights) => await prefill(context, batch, weights),
    decode: async (step, from, tokens) => await decode(context, step, from, tokens),
    close: () => sessions.close(),
  };
}

/** Runs the graph of a phase after cached places. */
async function compute(
  { lib, sessions }: Context,
  phase: Phase,
  batch: Batch,
  past: KeysAndValues,
  weights: Step["weights"],
): Promise<Computed> {
  const { program, session, run } = await sessions.open(phase);
  const rows = batch.sequences;
  const behind = past.size > 0 ? past : dummyEntries(lib, session, rows);
  const results = await run(batch, { inputs: { ...weights, ...Object.fromEntries(behind) } });
  const logits = results.logits as OrtTensor;
  const [, vocabSize = 0] = logits.dims;
  const added = [...program.recorded.keyValueCache.keys()].map((name) =>
    [name, results[`kept.${name}`] as OrtTensor] as const
  );
  return { rows, vocabSize, logits: logits.data as Float32Array, added: new Map(added) };
}

async function prefill(context: Context, batch: Batch, weights: Step["weights"]): Promise<Step> {
  const { lib, decoderAlone, prefix } = context;
  const side = batch.decoder ?? batch;
  const last = batch.inputs[`${prefix}last`] as Tensor;
  const inputs = withPlaces(batch, last);
  // A decoder-only model has one graph: prompts are processed as tokens after a single dummy place.
  const { added, ...result } = decoderAlone
    ? await compute(context, "decode", afterDummyPlace(inputs), new Map(), weights)
    : await compute(context, "prefill", inputs, new Map(), weights);
  const keyValueCache = createKeyValueCache(lib);
  const isCross = ([name]: readonly [string, unknown]): boolean => name.startsWith(CROSS_ATTENTION);
  keyValueCache.append(new Map([...added].filter((entry) => !isCross(entry))));
  const positions = ints(batch.inputs[`${prefix}positions`]);
  return {
    ...result,
    keyValueCache,
    cross: new Map([...added].filter(isCross)),
    weights,
    prompts: batch,
    of: Int32Array.from({ length: result.rows }, (_, i) => i),
    segments: ints(batch.inputs[`${prefix}segments`]),
    positions,
    pastLength: side.seq,
    next: ints(last).map((place) => (positions[place] ?? 0) + 1),
  };
}

async function decode(context: Context, step: Step, from: Int32Array, tokens: Int32Array): Promise<Step> {
  const { keyValueCache, pastLength } = step;
  if (keyValueCache.places !== pastLength) throw new RangeError("A step of generation is continued once");
  const of = from.map((row) => step.of[row] ?? 0);
  const position = from.map((row) => step.next[row] ?? 0);
  const segments = appendColumn(step.segments, pastLength, from, () => 1);
  const positions = appendColumn(step.positions, pastLength, from, (i) => position[i] ?? 0);
  const batch = decodeBatch(step, context.prefix, of, { tokens, position, segments, positions });
  // Beams of one prompt share its cross-attention entries, so these are kept while each row stays with its prompt.
  const samePrompts = of.length === step.of.length && of.every((prompt, i) => prompt === step.of[i]);
  const cross = samePrompts
    ? step.cross
    : new Map([...step.cross].map(([name, tensor]) => [name, chosenRows(context.lib, tensor, from)]));
  keyValueCache.choose(from);
  const past = new Map([...cross, ...keyValueCache.feeds()]);
  const { added, ...result } = await compute(context, "decode", batch, past, step.weights);
  keyValueCache.append(added);
  const next = position.map((p) => p + 1);
  return { ...step, ...result, cross, of, segments, positions, pastLength: pastLength + 1, next };
}

/** Returns the keys and values of the dummy place, which nothing attends to. */
function dummyEntries(lib: Ort, session: Session, rows: number): readonly (readonly [string, OrtTensor])[] {
  return [...session.feeds].filter(([, { shape }]) => shape[0] === "pastSeq").map(([name, { shape }]) => {
    const dims = [1, rows, ...shape.slice(2).map(Number)];
    return [name, new lib.Tensor("float32", new Float32Array(sizeOf(dims)), dims)];
  });
}

/** Selects rows of a cached tensor; returns the tensor itself if they are all of its rows in order. */
function chosenRows(lib: Ort, tensor: OrtTensor, from: Int32Array): OrtTensor {
  const [rows = 0, ...rest] = tensor.dims;
  if (from.length === rows && from.every((row, i) => row === i)) return tensor;
  const width = sizeOf(rest);
  const data = tensor.data as Float32Array;
  const out = new Float32Array(from.length * width);
  from.forEach((row, i) => out.set(data.subarray(row * width, (row + 1) * width), i * width));
  return new lib.Tensor("float32", out, [from.length, ...rest]);
}
