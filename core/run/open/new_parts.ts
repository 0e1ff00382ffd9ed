/** Parts of a run that nothing was learned for yet: nothing can be asked of them. */
import { inspect } from "../../engine/inspect.ts";
import { initialWeights } from "../../engine/weights.ts";
import { AttuneError } from "../../base/errors.ts";
import { createRandom } from "../../math/random.ts";
import { listNames } from "./tensor_names.ts";
import type { OpenRun } from "./open_run.ts";

/** The names of a head's parameters that no file has: it starts anew, and nothing can be asked of it before it is trained. */
export function listNewParts(open: OpenRun): readonly string[] {
  const { checkpoint, attached, backbone } = open;
  // A model from scratch is asked for as such.
  if (checkpoint.weights.names.length === 0) return [];
  const { isNew } = initialWeights(checkpoint, attached, backbone, createRandom(0));
  return [...inspect(open).parameters.values()].filter((p) => !p.adapter && !p.frozen && isNew(p)).map((p) => p.name);
}

/** Refuses what would answer with a head that nothing was learned for. Throws AttuneError that names its parameters. */
export function refuseNewParts(open: OpenRun): void {
  const fresh = listNewParts(open);
  if (fresh.length === 0) return;
  throw new AttuneError(
    `${open.checkpoint.label}: ${listNames(fresh)} ${fresh.length === 1 ? "is" : "are"} missing and would be random: ` +
      "the head is new, train it first",
    { code: "NEW_HEAD", plugin: "checkpoint", path: open.checkpoint.label, found: fresh },
  );
}
