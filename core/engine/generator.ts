/**
 * What comes next: logits behind prompts, then behind one more token of each at a time. The encoder runs once, and keys
 * and values of what was computed are kept.
 * @module
 */
import { sizeOf, type Tensor } from "../tensor.ts";
import type { Batch, Ort, OrtTensor } from "../types.ts";
import { OTHER_SIDE, type Phase } from "./build.ts";
import type { EvaluatorOptions } from "./evaluator.ts";
import { buildProgram, type Program, trainsRule } from "./program.ts";
import { openSession, type Session } from "./sessions.ts";

/** Where generation stands: for each row logits [rows, vocabSize] of its next token, and what is kept of it. */
export type Step = Readonly<{
  rows: number;
  vocabSize: number;
  logits: Float32Array;
  kept: ReadonlyMap<string, OrtTensor>;
  /** Fed parameters. */
  weights: Readonly<Record<string, OrtTensor>>;
  /** The prompts' batch, and which of its rows each row continues. */
  prompts: Batch;
  of: Int32Array;
  /** What the kept places are, [rows, past] each, and where the next token stands. */
  segments: Int32Array;
  positions: Int32Array;
  past: number;
  next: Int32Array;
}>;

/** Computes steps; its sessions are opened when they are first asked for. */
export interface Generator {
  /** Behind the prompts of a batch, one sequence in each row. `weights`: in place of those that the generator has. */
  first(batch: Batch, weights?: Readonly<Record<string, OrtTensor>>): Promise<Step>;
  /** Behind one more token: `from` says which row of the step before each row continues. */
  next(step: Step, from: Int32Array, tokens: Int32Array): Promise<Step>;
  close(): Promise<void>;
}

/** A generator over the weights that an evaluator computes with. */
export function createGenerator(options: EvaluatorOptions): Generator {
  const { host, feeder, trunk } = options;
  const lib = host.lib as Ort;
  const prefix = trunk.decoderStart === undefined ? "" : "decoder_";
  const known = new Map<Phase, Readonly<{ program: Program; session: Session }>>();
  const opened = async (phase: Phase, batch: Batch): Promise<Readonly<{ program: Program; session: Session }>> => {
    const found = known.get(phase);
    if (found) return found;
    const program = buildProgram({
      ...options,
      mode: "generate",
      phase,
      losses: [],
      checkpointing: false,
      trains: trainsRule(options.attached),
      targets: phase === "first" ? batch.inputs : {},
    });
    const { parameters } = program.recorded;
    const session = await openSession({ ...options, graph: program.graph, parameters, prepack: false, arena: true });
    const own = { program, session };
    known.set(phase, own);
    return own;
  };
  const run = async (
    phase: Phase,
    batch: Batch,
    kept: ReadonlyMap<string, OrtTensor>,
    weights: Step["weights"],
  ): Promise<Pick<Step, "rows" | "vocabSize" | "logits" | "kept" | "weights">> => {
    const { program, session } = await opened(phase, batch);
    const extra: Record<string, OrtTensor> = {};
    for (const [name, tensor] of [...Object.entries(weights), ...kept]) {
      if (session.feeds.has(name)) extra[name] = tensor;
    }
    const results = await session.run(await feeder.feeds(session, program.recorded, batch, extra, undefined));
    const logits = results.logits as OrtTensor;
    const [rows = 0, vocabSize = 0] = logits.dims;
    const outputs = [...program.recorded.kept.keys()].map((name) =>
      [name, results[`kept.${name}`] as OrtTensor] as const
    );
    return { rows, vocabSize, logits: logits.data as Float32Array, kept: new Map(outputs), weights };
  };
  return {
    first: async (batch, weights = options.weights) => {
      const side = batch.decoder ?? batch;
      const last = batch.inputs[`${prefix}last`] as Tensor;
      const asked: Batch = {
        ...batch,
        inputs: { ...batch.inputs, "labels.at": last },
        ...(batch.decoder && { decoder: { ...batch.decoder, inputs: [...batch.decoder.inputs, "labels.at"] } }),
      };
      const result = await run("first", asked, new Map(), weights);
      const positions = ints(batch.inputs[`${prefix}positions`]);
      return {
        ...result,
        prompts: batch,
        of: Int32Array.from({ length: result.rows }, (_, i) => i),
        segments: ints(batch.inputs[`${prefix}segments`]),
        positions,
        past: side.seq,
        next: ints(last).map((place) => (positions[place] ?? 0) + 1),
      };
    },
    next: async (step, from, tokens) => {
      const rows = from.length;
      const width = step.past + 1;
      const of = from.map((row) => step.of[row] ?? 0);
      const position = from.map((row) => step.next[row] ?? 0);
      const grown = (all: Int32Array, added: (i: number) => number): Int32Array => {
        const out = new Int32Array(rows * width);
        from.forEach((row, i) => {
          out.set(all.subarray(row * step.past, (row + 1) * step.past), i * width);
          out[(i + 1) * width - 1] = added(i);
        });
        return out;
      };
      const segments = grown(step.segments, () => 1);
      const positions = grown(step.positions, (i) => position[i] ?? 0);
      const batch = nextBatch(step, prefix, of, { tokens, position, segments, positions });
      // Beams of one prompt read the same of the other side, whichever of them goes on.
      const samePrompts = of.length === step.of.length && of.every((prompt, i) => prompt === step.of[i]);
      const kept = new Map([...step.kept].map(([name, tensor]) => {
        const stays = samePrompts && name.startsWith(OTHER_SIDE);
        return [name, stays ? tensor : chosenRows(lib, tensor, from)];
      }));
      const result = await run("next", batch, kept, step.weights);
      return {
        ...result,
        prompts: step.prompts,
        of,
        segments,
        positions,
        past: width,
        next: position.map((p) => p + 1),
      };
    },
    close: async () => {
      for (const { session } of known.values()) await session.close();
      known.clear();
    },
  };
}

/** The batch of one more token in each row. */
function nextBatch(
  { prompts, past }: Step,
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
    key_segments: tensor(now.segments, rows, past + 1),
    key_positions: tensor(now.positions, rows, past + 1),
    key_columns: tensor(Int32Array.from({ length: past + 1 }, (_, i) => i), past + 1),
  };
  // Tokens of an adapter stand in front of prompts only.
  if (prompts.inputs.virtual) inputs.virtual = tensor(new Int32Array(rows), rows, 1);
  const places = Int32Array.from({ length: 2 * rows }, (_, i) => (i & 1 ? past : i >> 1));
  const shared = { batch: rows, samples: rows, sequences: rows, tokens: rows, past };
  const samples = of.map((row) => prompts.rows[row] ?? 0);
  if (!prompts.decoder) return { ...shared, inputs, seq: 1, rows: samples, places };
  const { seq } = prompts;
  const read = new Int32Array(rows * seq);
  const all = ints(prompts.inputs.segments);
  of.forEach((row, i) => read.set(all.subarray(row * seq, (row + 1) * seq), i * seq));
  return {
    ...shared,
    inputs: { ...inputs, segments: tensor(read, rows, seq) },
    seq,
    rows: samples,
    places: new Int32Array(2 * rows * seq).fill(-1),
    decoder: { seq: 1, places, inputs: Object.keys(inputs) },
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
