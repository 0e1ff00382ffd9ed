/** The checks of an adapter on the tiny BERT of tests. */
import { type AdapterClaims, checksOf } from "../conformance/mod.ts";
import type { Catalog, Json } from "../core/types.ts";
import { catalog } from "../plugins/catalog.ts";
import { hostHere } from "../runtimes/host/train.ts";
import { itPassesSome } from "./checks.ts";
import { tinyHost, tinySpec } from "./tiny.ts";

const { model, task, data } = tinySpec();
const base = { model, task, data, tokenizer: "hf", optimizer: "adamw", schedule: "linear" };
const host = tinyHost(await hostHere(1));

/** Registers the checks of one configuration of an adapter. */
export function testAdapter(name: string, use: Json, claims: AdapterClaims): void {
  const { use: plugin, with: options } = use as { use: string; with?: object };
  const parsed = (catalog as Catalog).adapter?.[plugin]?.parse(options);
  if (!parsed || parsed.issues) throw new Error(`No adapter "${plugin}" with ${JSON.stringify(options)}`);
  itPassesSome(`adapter ${name}`, checksOf(parsed.value, { host, catalog, base, claims }));
}
