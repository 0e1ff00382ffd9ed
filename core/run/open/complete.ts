/**
 * Whether files have all that a run computes with, and nothing that would be passed over: random numbers in place of a
 * lost tensor, and a saved tensor that nobody reads, look like any others.
 */
import { inspect } from "../../engine/inspect.ts";
import type { Parameter } from "../../engine/builder/parameters.ts";
import { aliasesOf, initialWeights } from "../../engine/weights.ts";
import { AttuneError } from "../../base/errors.ts";
import { createRandom } from "../../math/random.ts";
import type { OpenRun } from "./open_run.ts";
import { listNames, moduleOf } from "./tensor_names.ts";

/**
 * Checks an opened run's files.
 *
 * @throws AttuneError that names tensors: of the model, or half of a head, that the checkpoint lacks; of a saved adapter
 * that its file lacks; of its file that nothing asks for.
 */
export async function checkComplete(open: OpenRun): Promise<void> {
  const { checkpoint, attached, backbone } = open;
  const parameters = [...inspect(open).parameters.values()];
  const initial = initialWeights(checkpoint, attached, backbone, createRandom(0));
  checkModel(open, parameters, initial.isNew);
  for (const adapter of attached) {
    if (adapter.weights) (await import("./complete_adapter.ts")).checkSaved(open, adapter, parameters);
  }
}

function checkModel(
  { checkpoint, backbone, heads }: OpenRun,
  parameters: readonly Parameter[],
  isNew: (p: Parameter) => boolean,
): void {
  if (checkpoint.weights.names.length === 0) return;
  const there = new Set(checkpoint.weights.names);
  // What has other dims was asked to start anew.
  const lacks = (p: Parameter): boolean =>
    !p.adapter && !p.frozen && isNew(p) && !aliasesOf(p.unqualifiedName, backbone).some((name) => there.has(name));
  const lost = parameters.filter((p) => p.name in backbone.shapes && lacks(p));
  const unstored = parameters.filter((p) => !(p.name in backbone.shapes) && !p.adapter && !p.frozen);
  const outputs = heads.flatMap(({ name }) => backbone.heads[name]?.out ?? []);
  // A head is whole or new: half of a module, or an output without what stands before it, was lost.
  const halves = unstored.filter((p) => {
    const module = moduleOf(p.unqualifiedName);
    const beside = unstored.filter((other) => other !== p && !lacks(other));
    return lacks(p) &&
      beside.some((other) =>
        moduleOf(other.unqualifiedName) === module || outputs.includes(moduleOf(other.unqualifiedName))
      );
  });
  const names = [...lost, ...halves].map((p) => p.unqualifiedName);
  if (names.length === 0) return;
  throw new AttuneError(
    `${checkpoint.label}: ${listNames(names)} ${names.length === 1 ? "is" : "are"} missing from the weights; ` +
      "only a completely new head may start at random",
    { code: "MISSING", plugin: "checkpoint", path: checkpoint.label, found: names },
  );
}
