/** A page whose rows a worker encodes, and the script of that worker: what both make of the same rows is compared. */
import { compose } from "../../core/spec/compose.ts";
import { encoderFacts, rowEncoderOf } from "../../core/run/rows/encoding.ts";
import { unpackSamples } from "../../core/run/rows/packed_samples.ts";
import { openRun } from "../../core/run/open/open.ts";
import { reference } from "../../core/spec/to_spec.ts";
import type { EncoderJob, RunSpec } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { fetchedStore } from "../../runtimes/host/fetched_store.ts";
import { encodeForPage, web } from "../../runtimes/host/web.ts";

const { location } = globalThis as unknown as { location: { href: string } };
const base = fetchedStore(new URL("base/", location.href).href);

/** The worker's script. */
export function encode(): void {
  encodeForPage(web({ base }), catalog);
}

/** What the page tells the test. */
export type Told = Readonly<{ same: boolean; rows: number; tokens: number; afterClose: boolean; refused: string }>;

/** The page's script. */
export async function compare(): Promise<void> {
  const host = web({ base, encoder: () => new Worker(new URL("worker.js", location.href), { type: "module" }) });
  const rows = Array.from(
    { length: 40 },
    (_, i) => ({ text: `a fine film, number ${i} `.repeat(1 + i % 5), label: "good" }),
  );
  const run = compose({
    version: 1,
    model: "attune:base",
    task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
    data: { train: { use: "memory", with: { rows } } },
    adapter: "lora",
    training: { maxLength: 24 },
  } as unknown as RunSpec, catalog);
  const open = await openRun(run, host);
  const facts = encoderFacts(open, true, undefined, rows[0]);
  const { model, tokenizer } = run;
  const job: EncoderJob = {
    model: reference(model),
    tokenizer: reference(tokenizer),
    collator: reference(open.collator),
    plugins: [],
    facts,
  };
  const thread = await host.startEncoder?.(job);
  const packed = await thread?.encode(rows, rows.map((_, i) => i));
  const encoder = rowEncoderOf(facts, open);
  const here = rows.map((row, i) => encoder.encode(row, i).map((sample) => encoder.finish(sample, 0, 0)));
  const there = packed?.map(unpackSamples) ?? [];
  await thread?.close();
  const refused = await host.startEncoder?.({ ...job, collator: { use: "no-such" } }).then(() => "", String) ?? "";
  const told: Told = {
    same: JSON.stringify(there) === JSON.stringify(here),
    rows: there.length,
    tokens: there.flat().reduce((n, { sequences: [own] }) => n + (own?.length ?? 0), 0),
    afterClose: await thread?.encode(rows, []) === undefined,
    refused,
  };
  await fetch("told", { method: "POST", body: JSON.stringify(told) });
}
