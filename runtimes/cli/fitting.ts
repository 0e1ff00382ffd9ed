/**
 * Which accelerators would make a run fit that does not.
 * @module
 */
import { AttuneError } from "../../core/errors.ts";
import { planRun } from "../../core/run/plan.ts";
import type { Host, Json, Named, Run } from "../../core/types.ts";
import { composed } from "../host/plugin_packages.ts";

/** Ways to store frozen weights, those that change a model the least first. */
const ways: readonly Json[] = [
  { use: "int8", with: { forward: "float32" } },
  "nf4",
  { use: "nf4", with: { useDoubleQuant: true } },
];

/** The first set of accelerators with which a run fits, as it would stand in its spec; undefined where none does. */
export async function fittingAccelerators(
  spec: Named<Json>,
  run: Run,
  host: Host,
): Promise<readonly Json[] | undefined> {
  if (run.adapters.length === 0) return undefined;
  const given = Array.isArray(spec.accelerators) ? spec.accelerators as readonly Json[] : [];
  const others = given.filter((_, i) => run.accelerators[i]?.needsFrozenWeights !== true);
  for (const way of ways) {
    const accelerators = [way, ...others];
    try {
      if ((await planRun(await composed({ ...spec, accelerators }), host)).fits) return accelerators;
    } catch (error) {
      // A base that is quantized already, or modules that another way has.
      if (!(error instanceof AttuneError)) throw error;
    }
  }
  return undefined;
}
