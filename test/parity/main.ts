/** All reference items, one line each. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { Check } from "../../conformance/check.ts";
import { catalog } from "../../plugins/catalog.ts";
import { checkCase } from "./cases.ts";
import { checkMetricsReference } from "../reference/metrics.ts";
import { checkTokenizerReference } from "../reference/tokenizers.ts";
import { evaluationChecks } from "../reference/evaluation/mod.ts";
import { checkLosses } from "./losses.ts";
import { checkQuantized } from "./quantized.ts";

/** One checked item. */
export type Item = Readonly<{ name: string; status: "ok" | "differs" | "missing"; detail: string }>;

/** Parts that are checked where nobody names any. */
export const built: readonly string[] = ["cases", "losses", "metrics", "tokenizers"];

/** Parts whose figures may stand beside those, of what is not implemented yet: by the name of their folder or file. */
const awaited: Readonly<Record<string, string>> = {
  preferences: "preference_losses.json",
};

/**
 * Checks what `match` names of some parts; prints a line per item and gives the exit code: 1 if any falls short or is
 * missing, 2 where there is nothing of that name.
 */
export async function parity(reference: string, match: RegExp, parts: readonly string[] = built): Promise<number> {
  if (!existsSync(reference)) {
    process.stderr.write(`${reference} does not exist: pass a folder of reference figures with --reference\n`);
    return 2;
  }
  const allowed = [...new Set([...Object.keys(checks), ...Object.keys(awaited)])];
  const unknown = parts.find((part) => !allowed.includes(part));
  if (unknown !== undefined) {
    process.stderr.write(`--parts: unknown part "${unknown}". Allowed: ${allowed.join(", ")}\n`);
    return 2;
  }
  const counts = { ok: 0, differs: 0, missing: 0 };
  for (const part of allowed.filter((own) => parts.includes(own))) {
    for await (const item of (checks[part] ?? notBuilt(part))(reference, match)) {
      if (!match.test(item.name)) continue;
      counts[item.status]++;
      process.stdout.write(`${item.status.padEnd(8)} ${item.name.padEnd(48)} ${item.detail}\n`);
    }
  }
  process.stdout.write(`\n${counts.ok} passed, ${counts.differs + counts.missing} failed\n`);
  if (counts.missing > 0) process.stdout.write(`${counts.missing} of the failed are not implemented yet\n`);
  return counts.differs + counts.missing === 0 ? 0 : 1;
}

type Part = (reference: string, match: RegExp) => AsyncIterable<Item>;

const namesIn = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).sort() : []);

const checks: Readonly<Record<string, Part>> = {
  cases: async function* (reference, match) {
    for (const name of namesIn(join(reference, "cases"))) {
      if (match.test(`cases/${name}`)) yield await checkCase(join(reference, "cases", name), `cases/${name}`);
    }
  },
  quantized: async function* (reference, match) {
    // Beside the others' folder, or that folder itself.
    const folder = existsSync(join(reference, "quantized")) ? join(reference, "quantized") : reference;
    yield* checkQuantized(folder);
    for (const name of namesIn(join(folder, "cases"))) {
      const item = `quantized/${name}`;
      if (match.test(item)) yield await checkCase(join(folder, "cases", name), item);
    }
  },
  losses: async function* (reference, match) {
    const file = join(reference, "losses.json");
    if (existsSync(file)) yield* await checkLosses(file, match);
  },
  metrics: async function* (reference) {
    const file = join(reference, "metrics.json");
    if (!existsSync(file)) return;
    for (const { name, ok, detail } of (await checkMetricsReference(file, catalog.metric)).items) {
      yield { name: `metrics/${name}`, status: statusOf(ok, detail), detail };
    }
  },
  tokenizers: async function* (reference, match) {
    for (const name of namesIn(join(reference, "tokenizers"))) {
      if (!match.test(`tokenizers/${name}`)) continue;
      const { items } = await checkTokenizerReference(join(reference, "tokenizers", name));
      const wrong = items.filter((item) => !item.ok);
      const detail = wrong.length === 0
        ? `${items.length} checked`
        : `${wrong.length} of ${items.length} differ, first ${wrong[0]?.name}: ${wrong[0]?.detail}`;
      yield { name: `tokenizers/${name}`, status: wrong.length === 0 ? "ok" : "differs", detail };
    }
  },
  evaluation: async function* (reference, match) {
    const folder = join(reference, "evaluation");
    for (const file of namesIn(folder)) {
      const name = `evaluation/${file.replace(/\.json$/, "")}`;
      if (!match.test(name)) continue;
      const load = evaluationChecks[file.replace(/\.json$/, "")];
      if (load) yield await checkAll(name, await load(folder));
      else yield { name, status: "missing", detail: "not implemented yet" };
    }
  },
};

/** One item of many checks. */
async function checkAll(name: string, checks: readonly Check[]): Promise<Item> {
  const wrong: string[] = [];
  for (const one of checks) await one.run().catch((error) => wrong.push(`${one.name}: ${error.message}`));
  const detail = wrong.length === 0
    ? `${checks.length} checked`
    : `${wrong.length} of ${checks.length} differ, first ${wrong[0]?.split("\n")[0]}`;
  return { name, status: wrong.length === 0 ? "ok" : "differs", detail };
}

/** Lists what stands there, so that it is not passed over silently. */
function notBuilt(part: string): Part {
  return async function* (reference) {
    const place = join(reference, awaited[part] ?? part);
    const names = existsSync(place) && statSync(place).isDirectory() ? readdirSync(place).sort() : [""];
    for (const name of names) {
      const detail = existsSync(place)
        ? "not implemented yet"
        : `${awaited[part]} does not exist, and it is not implemented yet`;
      yield await Promise.resolve({ name: name === "" ? part : `${part}/${name}`, status: "missing" as const, detail });
    }
  };
}

function statusOf(ok: boolean, detail: string): Item["status"] {
  return ok ? "ok" : /missing|no metric|not implemented/i.test(detail) ? "missing" : "differs";
}
