/** Comparison of a merged model with its base and separate adapter. */
import { compose } from "../../core/spec/compose.ts";
import { verifyExport } from "../../core/run/write/export.ts";
import { openRun } from "../../core/run/open/open.ts";
import type { OpenRun } from "../../core/run/open/open_run.ts";
import type { Host, Json, Named, RunSpec, Store } from "../../core/types.ts";
import { httpError } from "../http/responses.ts";
import { modelWithin } from "./named_run.ts";
import { probes, taskOf } from "./probes.ts";
import { placedFiles } from "../http/read_files.ts";
import type { Caller } from "../http/route.ts";
import { detectArtifact } from "../../formats/run/saved.ts";
import type { EdgeService } from "./service.ts";
import type { Merged } from "./merge_plan.ts";

/** Computes the largest difference of outputs between a merged model and base plus adapter. `name`: the base's. */
export async function largestDifference(
  service: EdgeService,
  { adapter, base }: Merged,
  model: Store,
  name: string,
  caller: Caller,
): Promise<number> {
  const { host, catalog } = service.options;
  if (!host?.lib) throw httpError(503, "not_configured", "verify: this server runs no models", "verify");
  if (!base) throw httpError(400, "invalid_value", "verify: a base is needed", "verify");
  if (!name.includes("://")) await modelWithin(service, caller, name);
  const saved = await detectArtifact(adapter);
  const task = await taskOf(base, adapter, saved?.adapters ?? []);
  const { hubCache: _hub, base: _base, resolve: _resolve, names: _names, realPath: _realPath, ...plain } = host;
  const stores: Named<Store> = { base, merged: placedFiles({}, model), adapter };
  const confined: Host = { ...plain, directory: (path) => stores[path] ?? placedFiles({}) };
  const open = (path: string, adapters: readonly Json[]): Promise<OpenRun> => {
    const spec = {
      version: 1,
      model: { use: "pretrained", with: { path } },
      task,
      data: { eval: { use: "memory", with: { rows: probes } } },
      adapter: adapters,
    } as unknown as RunSpec;
    return openRun(compose(spec, catalog), confined);
  };
  const use = saved?.adapters?.[0]?.use ?? "lora";
  return await verifyExport(await open("base", [{ use, with: { from: "adapter" } }]), await open("merged", []), false);
}
