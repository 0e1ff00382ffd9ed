/**
 * All reference items, one line each.
 * @module
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { catalog } from "../../plugins/catalog.ts";
import { checkCase } from "./cases.ts";
import { checkMetricsReference } from "../reference/metrics.ts";
import { checkTokenizerReference } from "../reference/tokenizers.ts";
import { checkLosses } from "./losses.ts";

/** One checked item. */
export type Item = Readonly<{ name: string; status: "ok" | "differs" | "missing"; detail: string }>;

/** Checks what `match` names; prints a line per item and gives the exit code: 1 where any falls short or is missing. */
export async function parity(reference: string, match: RegExp): Promise<number> {
  if (!existsSync(reference)) {
    process.stderr.write(`${reference} does not exist: pass a folder of reference figures with --reference\n`);
    return 2;
  }
  const counts = { ok: 0, differs: 0, missing: 0 };
  const tell = (item: Item): void => {
    if (!match.test(item.name)) return;
    counts[item.status]++;
    process.stdout.write(`${item.status.padEnd(8)} ${item.name.padEnd(48)} ${item.detail}\n`);
  };
  const cases = join(reference, "cases");
  for (const name of existsSync(cases) ? readdirSync(cases).sort() : []) {
    if (match.test(`cases/${name}`)) tell(await checkCase(join(cases, name), `cases/${name}`));
  }
  const file = (
    name: string,
  ): string | undefined => (existsSync(join(reference, name)) ? join(reference, name) : undefined);
  const losses = file("losses.json");
  if (losses) { for (const item of await checkLosses(losses, match)) tell(item); }
  const metrics = file("metrics.json");
  if (metrics) {
    for (const { name, ok, detail } of (await checkMetricsReference(metrics, catalog.metric ?? {})).items) {
      tell({ name: `metrics/${name}`, status: statusOf(ok, detail), detail });
    }
  }
  const tokenizers = join(reference, "tokenizers");
  for (const name of existsSync(tokenizers) ? readdirSync(tokenizers).sort() : []) {
    if (!match.test(`tokenizers/${name}`)) continue;
    const { items } = await checkTokenizerReference(join(tokenizers, name));
    const wrong = items.filter((item) => !item.ok);
    const detail = wrong.length === 0
      ? `${items.length} checked`
      : `${wrong.length} of ${items.length} differ, first ${wrong[0]?.name}: ${wrong[0]?.detail}`;
    tell({ name: `tokenizers/${name}`, status: wrong.length === 0 ? "ok" : "differs", detail });
  }
  process.stdout.write(`\n${counts.ok} passed, ${counts.differs + counts.missing} failed\n`);
  if (counts.missing > 0) process.stdout.write(`${counts.missing} of the failed are not built yet\n`);
  return counts.differs + counts.missing === 0 ? 0 : 1;
}

function statusOf(ok: boolean, detail: string): Item["status"] {
  return ok ? "ok" : /missing|no metric|not built/i.test(detail) ? "missing" : "differs";
}
