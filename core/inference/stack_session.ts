/** The program of a stack of adapters, whose values are fed with every batch. */
import { inspect } from "../engine/inspect.ts";
import { qualifyName } from "../engine/builder/parameters.ts";
import { type BatchResult, createEvaluator } from "../engine/evaluator.ts";
import type { Feeder } from "../engine/feeds.ts";
import type { Generator } from "../engine/generator.ts";
import { initialWeights } from "../engine/weights.ts";
import { createRandom } from "../math/random.ts";
import type { OpenRun } from "../run/open/open.ts";
import type { Batch, Ort, OrtTensor } from "../types.ts";
import type { LoadedAdapter } from "./loaded_adapter.ts";

/** A program for all stacks of the same kind. */
export type StackSession = Readonly<{
  run(batch: Batch, members: readonly LoadedAdapter[]): Promise<BatchResult>;
  generator(members: readonly LoadedAdapter[]): Promise<Pick<Generator, "prefill" | "decode">>;
  close(): Promise<void>;
}>;

/** A parameter from an adapter's file: the adapter's index in the stack, and the tensor's name in the file. */
type AdapterFeed = Readonly<{ parameter: string; place: number; name: string }>;

/** Compiles the program of a stack. */
export function createStackSession(
  open: OpenRun,
  members: readonly LoadedAdapter[],
  { lib, feeder, prepackLimit }: Readonly<{ lib: Ort; feeder: Feeder; prepackLimit: number }>,
): StackSession {
  const feeds = feedsOf(open, members);
  const evaluator = createEvaluator({
    ...open,
    initial: initialWeights(open.checkpoint, open.attached, open.backbone, createRandom(open.run.training.seed)),
    fed: new Map(feeds.map((f) => [f.parameter, {}])),
    weights: {},
    feeder,
    reads: open.task.evaluationOutputs,
    labelSmoothing: 0,
    prepackLimit,
  });
  const weightsOf = (members: readonly LoadedAdapter[]): Record<string, OrtTensor> => {
    const weights: Record<string, OrtTensor> = {};
    for (const { parameter, place, name } of feeds) {
      const tensor = members[place]?.tensors.get(name);
      if (tensor) weights[parameter] = new lib.Tensor("float32", tensor.data, tensor.dims);
    }
    return weights;
  };
  return {
    run: (batch, members) => evaluator.run(batch, false, weightsOf(members)),
    generator: async (members) => {
      const { prefill, decode } = await evaluator.generator();
      const weights = weightsOf(members);
      return { prefill: (batch) => prefill(batch, weights), decode };
    },
    close: () => evaluator.close(),
  };
}

/** Returns the parameters of a stack that adapters' files have; if several have one, the last adapter's is used. */
function feedsOf(open: OpenRun, members: readonly LoadedAdapter[]): readonly AdapterFeed[] {
  return [...inspect(open).parameters.keys()].flatMap((parameter) => {
    for (let place = members.length - 1; place >= 0; place--) {
      const adapter = open.attached[place];
      for (const name of members[place]?.tensors.keys() ?? []) {
        const names = [name, `${open.backbone.baseModelPrefix}.${name}`];
        if (names.some((n) => n === parameter || qualifyName(adapter, n) === parameter)) {
          return [{ parameter, place, name }];
        }
      }
    }
    return [];
  });
}
