/** The spec of a run whose adapters are merged into its model. */
import type { Catalog, Json, Named } from "../types.ts";
import { resolvePart } from "./resolve_part.ts";

/** Returns a spec for merged weights: without adapters, and without accelerators that encode frozen weights. */
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
