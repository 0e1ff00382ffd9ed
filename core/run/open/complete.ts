/**
 * Checks that files have every tensor that a run needs, and no tensor that it would ignore. Without the check, a lost
 * tensor would silently be replaced by random numbers, and a saved one silently be dropped.
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
 * @throws AttuneError that names the tensors if the checkpoint lacks some of the model or half of a head, or if the
 * file of a saved adapter lacks some or has some that nothing reads.
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
  // A tensor whose dims differ is new on purpose: the run asked for that.
  const lacks = (p: Parameter): boolean =>
    !p.adapter && !p.frozen && isNew(p) && !aliasesOf(p.unqualifiedName, backbone).some((name) => there.has(name));
  const lost = parameters.filter((p) => p.name in backbone.shapes && lacks(p));
  const unstored = parameters.filter((p) => !(p.name in backbone.shapes) && !p.adapter && !p.frozen);
  const outputs = heads.flatMap(({ name }) => backbone.heads[name]?.out ?? []);
  // A head is complete or new: half of a module, or an output without the layers before it, means a lost tensor.
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
