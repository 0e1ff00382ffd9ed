/** losses.json: values and gradients of loss functions, computed by the runtime. */
import { readFileSync } from "node:fs";
import { buildOn } from "../graph_builder.ts";
import { lower, shapeFeeds } from "../../core/engine/lower/lower.ts";
import { AttuneError } from "../../core/base/errors.ts";
import { Graph } from "../../core/graph/graph.ts";
import { gradients } from "../../core/graph/autodiff.ts";
import { writeOnnx } from "../../core/onnx/write.ts";
import type { Catalog, Loss, Ort, Tensor } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import type { Item } from "./main.ts";

type Nested = number | readonly Nested[];
type LossCase = Readonly<{
  loss: string;
  options: Readonly<Record<string, unknown>>;
  inputs: Readonly<Record<string, Nested>>;
  value: Nested;
  gradient: Readonly<Record<string, Nested>>;
}>;

/** Relative to the largest element: values were computed in float64. */
const TOLERANCE = 2e-5;

/** Items of a losses file. What has no plugin, or not its options, is missing. */
export async function checkLosses(path: string, match: RegExp): Promise<Item[]> {
  const { losses }: { losses: readonly LossCase[] } = JSON.parse(readFileSync(path, "utf8"));
  const items: Item[] = [];
  const lib = (await hostHere(1)).lib as Ort;
  for (const [i, one] of losses.entries()) {
    const name = `losses/${one.loss} ${i}`;
    if (match.test(name)) items.push(await check(lib, one, name));
  }
  return items;
}

/** Losses whose targets are numbers of classes, where they are whole numbers. */
const classes = new Set(["cross-entropy", "focal", "ctc"]);

/** What a loss is given: its own tensors, and what of a batch it reads besides. */
type Arrangement = Readonly<{ output: Tensor; target: Tensor; batch: Readonly<Record<string, Tensor>> }>;
type Inputs = Readonly<Record<string, Nested>>;

/** How named inputs become one output and one target, where they are not simply these two. */
const arranged: Readonly<Record<string, Readonly<{ output(x: Inputs): Tensor; target(x: Inputs): Tensor }>>> = {
  "cosine-embedding": { output: (x) => stacked([x.a, x.b]), target: (x) => tensorOf(x.target ?? [], false) },
  triplet: {
    output: (x) => stacked([x.anchor, x.positive, x.negative]),
    target: (x) => tensorOf((x.anchor as readonly Nested[]).map(() => 1), false),
  },
  "dpo-sigmoid": {
    output: (x) => stacked([x.policyChosen, x.policyRejected]),
    target: (x) => stacked([x.referenceChosen, x.referenceRejected]),
  },
  ctc: {
    output: (x) => stacked(x.logits as readonly Nested[]), // [time, batch, classes] → [batch, time, classes]
    target: (x) => {
      const lengths = x.targetLengths as readonly number[];
      const rows = x.target as readonly (readonly number[])[];
      return tensorOf(rows.map((row, i) => row.map((id, k) => (k < (lengths[i] ?? 0) ? id : -100))), true);
    },
  },
};

async function check(lib: Ort, one: LossCase, name: string): Promise<Item> {
  const entry = (catalog as Catalog).loss?.[one.loss];
  if (!entry) return { name, status: "missing", detail: "no loss of this name" };
  const none = one.options.reduction === "none";
  const parsed = entry.parse(none ? { ...one.options, reduction: "sum" } : one.options);
  if (parsed.issues) {
    return { name, status: "missing", detail: `options ${JSON.stringify(one.options)} are not implemented` };
  }
  try {
    const loss = parsed.value;
    const all = given(one);
    const wanted = outputOf(one.loss, one.gradient, all.output);
    // What is not reduced is checked element by element.
    const parts = none ? elements(all, flat(one.value).length) : [all];
    const results: { value: number; gradient: Float32Array }[] = [];
    for (const part of parts) results.push(await compute(lib, loss, part));
    const values = flat(one.value).map((value, i) =>
      Math.abs(value - (results[i]?.value ?? NaN)) / Math.max(1, Math.abs(value))
    );
    const slopes = results.flatMap(({ gradient }) => [...gradient]);
    const worst = Math.max(...[...wanted.data].map((g, i) => Math.abs(Number(g) - (slopes[i] ?? NaN)))) /
      Math.max(1e-3, ...[...wanted.data].map((g) => Math.abs(Number(g))));
    const off = Math.max(...values);
    const ok = off <= TOLERANCE && worst <= TOLERANCE;
    return {
      name,
      status: ok ? "ok" : "differs",
      detail: `value ${off.toExponential(1)}, gradient ${worst.toExponential(1)}`,
    };
  } catch (error) {
    return {
      name,
      status: error instanceof AttuneError ? "missing" : "differs",
      detail: error instanceof Error ? error.message : String(error),
    };
  }
}

/** Value and gradient of a loss, over its count. */
async function compute(lib: Ort, loss: Loss, all: Arrangement): Promise<{ value: number; gradient: Float32Array }> {
  const { output, target, batch } = all;
  const graph = new Graph();
  const { build } = buildOn(graph);
  const x = graph.input("output", "float32", batch.segments ? ["batch", "seq", output.dims[2] ?? 1] : output.dims);
  const rows = loss.per === "sequence" ? "sequences" : target.dims[0] ?? 1;
  const sum = loss.sum(build, x, graph.input("target", target.dtype, [rows, ...target.dims.slice(1)]));
  graph.output("value", sum);
  const [gradient] = gradients(sum, [x]);
  if (gradient?.dense) graph.output("gradient", gradient.dense);
  const { model, feeds, shapes } = lower(graph, () => ({ as: "feed" }));
  const session = await lib.InferenceSession.create(writeOnnx(model), {
    graphOptimizationLevel: "disabled",
    logSeverityLevel: 3,
  });
  const tensors: Readonly<Record<string, Tensor>> = { output, target, ...batch };
  const fed = Object.fromEntries([...feeds.keys()].map((key) => {
    const t = tensors[key];
    if (!t) throw new Error(`The loss reads "${key}"`);
    return [key, new lib.Tensor(t.dtype, t.data, t.dims)];
  }));
  const dims = { batch: output.dims[0] ?? 1, seq: output.dims[1] ?? 1, sequences: target.dims[0] ?? 1 };
  for (const [key, data] of shapeFeeds(shapes, dims)) fed[key] = new lib.Tensor("int64", data, [data.length]);
  const results = await session.run(fed);
  await session.release();
  const scale = 1 / loss.count(target);
  return {
    value: scale * ((results.value?.data as Float32Array)[0] ?? NaN),
    gradient: (results.gradient?.data as Float32Array).map((g) => g * scale),
  };
}

function given(one: LossCase): Arrangement {
  const arrangement = arranged[one.loss];
  const [first, second, ...more] = Object.values(one.inputs);
  if (!arrangement && more.length > 0) throw new Error(`${Object.keys(one.inputs)}: no arrangement of these inputs`);
  const output = arrangement ? arrangement.output(one.inputs) : tensorOf(first ?? [], false);
  const target = arrangement ? arrangement.target(one.inputs) : tensorOf(second ?? [], classes.has(one.loss));
  return {
    output,
    target,
    batch: one.loss === "ctc" ? places(one.inputs.inputLengths as readonly number[], output) : {},
  };
}

function outputOf(loss: string, gradient: Inputs, like: Tensor): Tensor {
  const arrangement = arranged[loss];
  const [first] = Object.values(gradient);
  const tensor = arrangement ? arrangement.output(gradient) : tensorOf(first ?? [], false);
  if (tensor.data.length !== like.data.length) throw new Error("The gradient is not of the output's size");
  return tensor;
}

/** The places of a batch of one sequence a row. */
function places(lengths: readonly number[], { dims: [batch = 0, seq = 0] }: Tensor): Record<string, Tensor> {
  const at = (value: (row: number, column: number) => number): Int32Array =>
    Int32Array.from({ length: batch * seq }, (_, i) => value(Math.floor(i / seq), i % seq));
  const real = (row: number, column: number): boolean => column < (lengths[row] ?? 0);
  return {
    segments: { dtype: "int32", dims: [batch, seq], data: at((r, c) => (real(r, c) ? 1 : 0)) },
    sequence_ids: { dtype: "int32", dims: [batch, seq], data: at((r, c) => (real(r, c) ? r : -1)) },
    columns: { dtype: "int32", dims: [seq], data: Int32Array.from({ length: seq }, (_, i) => i) },
    first: { dtype: "int32", dims: [batch], data: Int32Array.from({ length: batch }, (_, i) => i * seq) },
  };
}

/** Rows (or, where there are more values than rows, single elements) as calls of their own. */
function elements({ output, target, batch }: Arrangement, count: number): Arrangement[] {
  const part = (tensor: Tensor, i: number): Tensor => {
    const size = tensor.data.length / count;
    const dims = count === tensor.dims[0] ? [1, ...tensor.dims.slice(1)] : [1, size];
    return { ...tensor, dims, data: tensor.data.slice(i * size, (i + 1) * size) } as Tensor;
  };
  return Array.from({ length: count }, (_, i) => {
    const lengths = batch.segments ? [[...part(batch.segments, i).data].filter((s) => s === 1).length] : [];
    const slice = part(output, i);
    return { output: slice, target: part(target, i), batch: batch.segments ? places(lengths, slice) : {} };
  });
}

/** Tensors of one shape side by side along a new second axis. */
function stacked(parts: readonly (Nested | undefined)[]): Tensor {
  const tensors = parts.map((part) => tensorOf(part ?? [], false));
  const [rows = 0, ...rest] = tensors[0]?.dims ?? [];
  const size = rest.reduce((a, b) => a * b, 1);
  const data = new Float32Array(rows * tensors.length * size);
  tensors.forEach((t, k) => {
    for (let i = 0; i < rows; i++) {
      data.set((t.data as Float32Array).subarray(i * size, (i + 1) * size), (i * tensors.length + k) * size);
    }
  });
  return { dtype: "float32", dims: [rows, tensors.length, ...rest], data };
}

function flat(value: Nested): number[] {
  return typeof value === "number" ? [value] : value.flatMap(flat);
}

function tensorOf(value: Nested, integers: boolean): Tensor {
  const dims: number[] = [];
  for (let part: Nested | undefined = value; typeof part === "object"; part = part[0]) dims.push(part.length);
  const data = flat(value);
  return integers && data.every(Number.isInteger)
    ? { dtype: "int32", dims, data: Int32Array.from(data) }
    : { dtype: "float32", dims, data: Float32Array.from(data) };
}
