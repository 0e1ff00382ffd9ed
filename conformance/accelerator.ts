/**
 * What every accelerator must do, on a small graph.
 * @module
 */
import { inspectBackbone } from "../core/engine/inspect.ts";
import { capabilities } from "../core/graph/capabilities.ts";
import { reachable } from "../core/graph/graph.ts";
import { type Accelerator, bytesPerElement, type Device, gelu, Graph, layerNorm, matmul, sizeOf } from "../kit.ts";
import { assert } from "./assert.ts";
import { type Check, check } from "./check.ts";
import { type Given, randomInput } from "./oracle/differences.ts";
import { interpret } from "./oracle/interpreter.ts";
import { tinyConfig, tinyFamily } from "./tiny/network.ts";

/** What an accelerator says of itself. */
export type AcceleratorFigures = Readonly<{
  /** How far a number may be from what it was, of the largest. Default: rounding alone where it is exact, else 0.1. */
  bound?: number;
  /** The providers that its graphs have to fit. Default: cpu. */
  providers?: readonly Device["provider"][];
}>;

const [ROWS, WIDTH] = [5, 16];

/** The checks of an accelerator. */
export function acceleratorChecks(accelerator: Accelerator, figures: AcceleratorFigures): readonly Check[] {
  const { bound = accelerator.exact ? 1e-6 : 0.1, providers = ["cpu"] } = figures;
  const deviceOf = (provider: Device["provider"]): Device => ({
    provider,
    can: capabilities[provider],
    bytes: 2 ** 30,
    backbone: inspectBackbone(tinyFamily().read(tinyConfig("encoder"))),
  });
  const built = (): Readonly<{ graph: Graph; given: Given }> => {
    const graph = new Graph();
    const given: Given = {};
    const [x, up] = [randomInput(graph, given, "x", ["rows", WIDTH], { rows: ROWS }), ["up.weight", "norm.weight"]];
    const [weight, scale] = up.map((name, i) => {
      const value = randomInput(new Graph(), given, name, i === 0 ? [WIDTH, WIDTH] : [WIDTH], {});
      return graph.parameter(name, "float32", value.shape);
    });
    if (!weight || !scale) throw new Error("no weights");
    graph.output("y", layerNorm(gelu(matmul(x, weight)), scale, scale, 1e-5));
    return { graph, given };
  };
  const results = (graph: Graph, given: Given): readonly Readonly<{ dims: readonly number[]; data: Float64Array }>[] =>
    interpret(graph, given, [...graph.outputs.values()], { rows: ROWS });
  const rewritten = (provider: Device["provider"]): Graph[] => {
    const device = deviceOf(provider);
    return (["forward", "training"] as const).flatMap((pass) => accelerator[pass]?.(built().graph, device) ?? []);
  };
  return [
    check("says whether it is exact", () => assert.equal(typeof accelerator.exact, "boolean")),
    check("its graphs have the outputs that there were, within what it says", () => {
      const { graph, given } = built();
      const [wanted] = results(graph, given);
      for (const own of providers.flatMap(rewritten)) {
        assert.deepEqual([...own.outputs.keys()], ["y"]);
        const [found] = results(own, given);
        assert.deepEqual([...found?.dims ?? []], [...wanted?.dims ?? []]);
        const most = wanted?.data.reduce((a, b) => Math.max(a, Math.abs(b)), 0) ?? NaN;
        assert.near(found?.data ?? [], wanted?.data ?? [], bound * most);
      }
    }),
    check("its graphs have ops that the provider has", () => {
      for (const provider of providers) {
        for (const graph of rewritten(provider)) {
          for (const { op, outputs } of reachable([...graph.outputs.values()])) {
            const dtypes = capabilities[provider][op];
            const [first] = outputs;
            assert.ok(dtypes.includes(first?.dtype ?? "float32"), `${provider} has no ${op} of ${first?.dtype}`);
          }
        }
      }
    }),
    check("stores weights in no more bytes than they have, the same each time", () => {
      for (const [name, dims] of [["tiny.layers.0.up.weight", [32, 16]], ["tiny.norm.weight", [16]]] as const) {
        const stored = accelerator.store?.(name, dims);
        assert.deepEqual(accelerator.store?.(name, dims), stored, name);
        if (!stored) continue;
        const each = stored.dtype === "int4" ? 0.5 : bytesPerElement[stored.dtype];
        assert.ok(each * sizeOf(dims) <= 4 * sizeOf(dims), `${name} as ${stored.dtype}`);
        if (stored.block !== undefined) {
          assert.ok(Number.isInteger(stored.block) && stored.block > 0, `${stored.block}`);
        }
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
