/** Checks of accelerators, on a small graph and on weights of several shapes. */
import { inspectBackbone } from "../core/engine/inspect.ts";
import { capabilities } from "../core/graph/capabilities.ts";
import { reachable } from "../core/graph/graph.ts";
import { gradients } from "../core/graph/autodiff.ts";
import {
  type Accelerator,
  type Device,
  gelu,
  Graph,
  layerNorm,
  type LinearWeight,
  matmul,
  type Named,
  type NodeWriter,
  type Rewrite,
  square,
  sum,
  type Tensor,
} from "../kit.ts";
import { assert } from "./assert.ts";
import { type Check, check } from "./check.ts";
import { type InputValues, randomInput } from "./differences.ts";
import { interpret } from "./oracle/interpreter.ts";
import { tinyConfig, tinyFamily } from "./tiny/network.ts";

/** Tolerances and targets of an accelerator's checks. */
export type AcceleratorFigures = Readonly<{
  /** Largest change of an output, relative to the largest output. Default: rounding only if exact, otherwise 0.1. */
  bound?: number;
  /** Largest change of a stored weight's value, relative to the weight's largest value. Default: 0.2. */
  weightBound?: number;
  /** The providers that must support its graphs. Default: cpu. */
  providers?: readonly Device["provider"][];
}>;

const [ROWS, WIDTH] = [5, 16];

/** Dims of weights [out, in]: whole blocks, blocks across rows, an odd number of values. */
const shapes: readonly (readonly [number, number])[] = [[32, 64], [12, 48], [5, 19]];

/** Returns the checks of an accelerator. */
export function acceleratorChecks(accelerator: Accelerator, figures: AcceleratorFigures): readonly Check[] {
  return [
    check("says whether it is exact", () => assert.equal(typeof accelerator.exact, "boolean")),
    ...graphChecks(accelerator, figures),
    ...storageChecks(accelerator, figures),
    check("writes products over weights that train from the tensors that it makes of them, which are no larger", () => {
      for (const weight of [...weightsOf(shapes), ...weightsOf(shapes).map((one) => ({ ...one, conv1d: true }))]) {
        const format = accelerator.multiply?.(weight);
        if (!format) continue;
        assert.equal(accelerator.multiply?.(weight)?.label, format.label);
        const { dims } = weight;
        assert.ok(format.bytes(dims) <= 4 * dims[0] * dims[1], `${format.bytes(dims)} bytes`);
        const inputNames = new Set(["values", "x", "bias", "dy"]);
        const tensors = format.writeTensors(writerOver(inputNames, {}), "values", weight);
        const writer = writerOver(inputNames, tensors);
        const products = [
          format.writeProduct?.(writer, { x: "x", bias: "bias" }, dims),
          format.writeTransposedProduct?.(writer, "dy", dims),
        ];
        assert.ok(products.some((name) => name !== undefined), "no product");
        for (const name of products) if (name !== undefined) assert.ok(inputNames.has(name), name);
      }
    }),
    check("scales losses by a number above 0 that grows and backs off", () => {
      const { lossScale } = accelerator;
      if (!lossScale) return;
      const { initScale, growthFactor, backoffFactor, growthInterval } = lossScale;
      assert.ok(initScale > 0 && Number.isFinite(Math.fround(initScale)), `${initScale}`);
      assert.ok(growthFactor > 1 && Number.isFinite(growthFactor), `${growthFactor}`);
      assert.ok(backoffFactor > 0 && backoffFactor < 1, `${backoffFactor}`);
      assert.ok(Number.isInteger(growthInterval) && growthInterval > 0, `${growthInterval}`);
    }),
  ];
}

function graphChecks(accelerator: Accelerator, figures: AcceleratorFigures): readonly Check[] {
  const { bound = accelerator.exact ? 1e-6 : 0.1, providers = ["cpu"] } = figures;
  const deviceOf = (provider: Device["provider"]): Device => ({
    provider,
    bytes: 2 ** 30,
    backbone: inspectBackbone(tinyFamily().read(tinyConfig("encoder"))),
  });
  const built = (rewrites: readonly Rewrite[]): Readonly<{ graph: Graph; values: InputValues }> => {
    const graph = new Graph(rewrites);
    const values: InputValues = {};
    const [x, up] = [randomInput(graph, values, "x", ["rows", WIDTH], { rows: ROWS }), ["up.weight", "norm.weight"]];
    const [weight, scale] = up.map((name, i) => {
      const value = randomInput(new Graph(), values, name, i === 0 ? [WIDTH, WIDTH] : [WIDTH], {});
      return graph.parameter(name, "float32", value.shape);
    });
    if (!weight || !scale) throw new Error("no weights");
    const y = layerNorm(gelu(matmul(x, weight)), scale, scale, 1e-5);
    graph.output("y", y);
    gradients(sum(square(y)), [weight]).forEach(({ dense }) => dense && graph.output("dy", dense));
    return { graph, values };
  };
  const results = (
    graph: Graph,
    values: InputValues,
  ): readonly Readonly<{ dims: readonly number[]; data: Float64Array }>[] =>
    interpret(graph, values, [...graph.outputs.values()], { rows: ROWS });
  const rewritten = (provider: Device["provider"]): Graph[] => {
    const rewrite = accelerator.rewrite?.(deviceOf(provider));
    return rewrite ? [built([rewrite]).graph] : [];
  };
  return [
    check("its graphs have the outputs that there were, within what it says", () => {
      const { graph, values } = built([]);
      const wanted = results(graph, values);
      for (const candidate of providers.flatMap(rewritten)) {
        assert.deepEqual([...candidate.outputs.keys()], [...graph.outputs.keys()]);
        results(candidate, values).forEach(({ dims, data }, i) => {
          const due = wanted[i] ?? { dims: [], data: new Float64Array(0) };
          assert.deepEqual([...dims], [...due.dims]);
          const most = due.data.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
          assert.near(data, due.data, bound * most);
        });
      }
    }),
    check("its graphs have ops that the provider has", () => {
      for (const provider of providers) {
        for (const graph of rewritten(provider)) {
          for (const { op, inputs, outputs } of reachable([...graph.outputs.values()])) {
            const dtypes = capabilities[provider][op];
            const [first] = outputs;
            // Every provider can cast to 16 bits and back.
            if (op === "Cast" && [first, inputs[0]].some((x) => x?.dtype.endsWith("float16"))) continue;
            assert.ok(dtypes.includes(first?.dtype ?? "float32"), `${provider} has no ${op} of ${first?.dtype}`);
          }
        }
      }
    }),
  ];
}

function storageChecks(accelerator: Accelerator, { weightBound = 0.2 }: AcceleratorFigures): readonly Check[] {
  const weights = weightsOf(shapes);
  const valuesOf = ({ name, dims: [outputs, inputs] }: LinearWeight): Float32Array => {
    const values: InputValues = {};
    randomInput(new Graph(), values, name, [outputs, inputs], {});
    return Float32Array.from(values[name]?.data as ArrayLike<number>);
  };
  const bytesOf = (tensors: Named<Tensor>): number =>
    Object.values(tensors).reduce((bytes, { data }) => bytes + data.byteLength, 0);
  return [
    check("gives back what it stores of a weight, the same each time, its values left as they were", () => {
      for (const weight of weights) {
        const storage = accelerator.store?.(weight);
        if (!storage) continue;
        const values = valuesOf(weight);
        const before = values.slice();
        const tensors = storage.encode(values, weight);
        assert.deepEqual([...values], [...before], "values");
        assert.deepEqual(storage.encode(values, weight), tensors, weight.name);
        assert.equal(accelerator.store?.(weight)?.format.label, storage.format.label);
        const most = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
        const decoded = storage.format.decode(tensors, weight.dims);
        assert.equal(decoded.length, values.length);
        assert.near(decoded, values, weightBound * most);
      }
    }),
    check("says in how many bytes, no more than it had as float32", () => {
      const [weight] = weights;
      const storage = weight && accelerator.store?.(weight);
      if (!weight || !storage) return;
      const bytes = storage.format.bytes(weight.dims);
      assert.ok(bytes <= 4 * weight.dims[0] * weight.dims[1], `${bytes} bytes`);
      assert.near([bytesOf(storage.encode(valuesOf(weight), weight))], [bytes], 256);
    }),
  ];
}

function weightsOf(shapes: readonly (readonly [number, number])[]): readonly LinearWeight[] {
  return shapes.map((dims, i) => ({
    name: `tiny.layers.${i}.up.weight`,
    module: `tiny.layers.${i}.up`,
    dims,
    conv1d: false,
  }));
}

/** A writer that knows the existing names and refuses others. */
function writerOver(there: Set<string>, tensors: Named<string>): NodeWriter {
  const compute = (inputs: readonly string[]): string => {
    for (const name of inputs) assert.ok(name === "" || there.has(name), `"${name}" is read, and nothing makes it`);
    const name = `made ${there.size}`;
    there.add(name);
    return name;
  };
  const alike = new Map<string, Named<string>>();
  return {
    tensor: (name) => tensors[name] ?? `the tensor "${name}"`,
    constant: () => compute([]),
    add: (_, inputs) => compute(inputs),
    once: (key, make) => {
      const twin = alike.get(key) ?? make();
      alike.set(key, twin);
      return twin;
    },
    cast: (x) => compute([x]),
    reshape: (x) => compute([x]),
    expand: (x) => compute([x]),
    slice: (x) => compute([x]),
  };
}
