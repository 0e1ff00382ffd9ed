/** A run's spec where its adapters are folded into its model. */
import type { Catalog, Json, Named } from "../types.ts";
import { resolvePart } from "./resolve_part.ts";

/** A spec over weights of its adapters' run that are whole: nothing is stored as codes below an adapter, and none is there. */
export function overWholeWeights(spec: Named<Json>, catalog: Catalog): Named<Json> {
  const { adapter, accelerators } = spec;
  if (listed(adapter).length === 0 || accelerators === undefined) return { ...spec, adapter: [] };
  const exact = listed(accelerators).filter((one, i) => {
    const part = resolvePart("accelerator", one, `accelerators.${i}`, { catalog, issues: [] });
    return part?.needsFrozenWeights !== true;
  });
  return { ...spec, adapter: [], accelerators: exact };
}

function listed(value: Json | undefined): readonly Json[] {
  return [value ?? []].flat() as readonly Json[];
}
