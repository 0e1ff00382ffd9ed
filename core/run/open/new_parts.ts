/** Untrained parts of a run, whose outputs would mean nothing. */
import { inspect } from "../../engine/inspect.ts";
import { initialWeights } from "../../engine/weights.ts";
import { AttuneError } from "../../base/errors.ts";
import { createRandom } from "../../math/random.ts";
import { listNames } from "./tensor_names.ts";
import type { OpenRun } from "./open_run.ts";

/** Returns the names of parameters that no file has: a new head, which has to be trained before it is used. */
export function listNewParts(open: OpenRun): readonly string[] {
  const { checkpoint, attached, backbone } = open;
  // A model without any weights was deliberately asked for.
  if (checkpoint.weights.names.length === 0) return [];
  const { isNew } = initialWeights(checkpoint, attached, backbone, createRandom(0));
  return [...inspect(open).parameters.values()].filter((p) => !p.adapter && !p.frozen && isNew(p)).map((p) => p.name);
}

/** Refuses to use a head that was never trained. Throws AttuneError that names its parameters. */
export function refuseNewParts(open: OpenRun): void {
  const fresh = listNewParts(open);
  if (fresh.length === 0) return;
  throw new AttuneError(
    `${open.checkpoint.label}: ${listNames(fresh)} ${fresh.length === 1 ? "is" : "are"} missing and would be random: ` +
      "the head is new, train it first",
    { code: "NEW_HEAD", plugin: "checkpoint", path: open.checkpoint.label, found: fresh },
  );
}
