/**
 * Runs over models and adapters that requests name: specs hold no paths, the files are those the caller may use.
 * @module
 */
import { compose } from "../../core/compose.ts";
import { missing } from "../../core/errors.ts";
import { badFile } from "../../core/errors.ts";
import { placed } from "../../core/jobs/references.ts";
import { within } from "../../core/run/write.ts";
import type { Host, Json, Named, Row, Run, RunSpec, Store } from "../../core/types.ts";
import { failed } from "./answers.ts";
import type { Caller } from "./route.ts";
import type { EdgeService } from "./service.ts";

/** What a request may say of a run. */
export type NamedRun = Readonly<
  { model: string; adapter?: string | undefined; task: Json; metrics?: Json | undefined; rows?: readonly Row[] }
>;

/** What the paths of these specs stand for. */
const [MODEL, ADAPTER] = ["edge:model", "edge:adapter"];

/** A run over named files, and the host that has them. Throws what a route throws. */
export async function namedRun(
  service: EdgeService,
  caller: Caller,
  { model, adapter, task, metrics, rows = [] }: NamedRun,
): Promise<Readonly<{ run: Run; host: Host }>> {
  const { host, catalog } = service.options;
  if (!host) throw failed(503, "not_configured", "No models are computed here");
  placed({ task, ...(metrics === undefined ? {} : { metrics }) }, (_name, at) => {
    throw failed(400, "invalid_value", `${at}: a request may not name it`, at);
  });
  const files = await modelWithin(service, caller, model);
  const own = adapter === undefined ? undefined : await savedAdapter(service, caller, adapter);
  const run = compose({
    version: 1,
    name: "named",
    model: { use: "pretrained", with: { path: MODEL } },
    task,
    data: { eval: { use: "memory", with: { rows } } },
    adapter: own ? [{ use: own.use, with: { from: ADAPTER } }] : [],
    ...(metrics === undefined ? {} : { metrics }),
  } as unknown as RunSpec, catalog);
  const stores: Named<Store> = { [MODEL]: files, ...(own ? { [ADAPTER]: own.files } : {}) };
  // Nothing else can be reached: neither the machine's files nor the hub.
  const { hubCache: _, ...plain } = host;
  const directory = (path: string): Store => stores[path] ?? nothing;
  const noFetch = (): Promise<never> => Promise.reject(missing("named", "access to the network", "this request"));
  return { run, host: { ...plain, directory, resolve: (path) => path, fetch: noFetch } };
}

/** The files of a model that has room in memory. Throws what a route throws. */
export async function modelWithin({ find, limits }: EdgeService, caller: Caller, name: string): Promise<Store> {
  const { files } = await find(name, caller);
  let bytes = 0;
  for await (const { key, size } of files.list("")) if (key.endsWith(".safetensors")) bytes += size;
  if (bytes <= limits.modelBytes) return files;
  const most = `${bytes} bytes of weights, more than the ${limits.modelBytes} that models may have here`;
  throw failed(400, "model_too_large", `model: ${name} has ${most}`, "model");
}

/** The files of a saved adapter and the plugin that it is of. Throws what a route throws. */
export async function savedAdapter(
  { find }: EdgeService,
  caller: Caller,
  name: string,
): Promise<Readonly<{ id: string; files: Store; use: string }>> {
  const found = await find(name, caller, "adapter");
  // A job's result has its adapter in a folder.
  for (const files of [found.files, within(found.files, "adapter/")]) {
    const config = await files.get("adapter_config.json");
    if (config) return { id: found.id, files, use: adapterUse(config.bytes) };
  }
  throw failed(400, "no_adapter", `adapter: ${name} has no adapter_config.json`, "adapter");
}

/** The plugin that an adapter_config.json is of: peft_type in kebab case, but that DoRA's is LoRA's. */
function adapterUse(bytes: Uint8Array): string {
  let config: Named<Json>;
  try {
    config = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw badFile("adapter", "adapter_config.json", "is not JSON");
  }
  if (typeof config?.peft_type !== "string") throw badFile("adapter", "adapter_config.json", "has no peft_type");
  return config.use_dora === true ? "dora" : config.peft_type.toLowerCase().replaceAll("_", "-");
}

const nothing: Store = {
  get: async () => undefined,
  put: async () => "conflict",
  delete: async () => "conflict",
  list: async function* () {},
};
