/**
 * The text of docs/adapters.md: the options from the plugins as they are, the figures from test/interchange/results/, where
 * runs are recorded. `node test/interchange/table.ts` writes it; after new runs of the interchange scripts
 * (`--out test/interchange/results/NAME.json`) and of `npm run parity` (its lines in results/parity.txt).
 * @module
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import process from "node:process";
import { toJsonSchema } from "@valibot/to-json-schema";
import { compose } from "../../core/spec/compose.ts";
import { openRun } from "../../core/run/open/open.ts";
import type { Named, RunSpec } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { tinyHost, tinySpec } from "../tiny.ts";

type Member = { ok: boolean; use?: string; there?: number; back?: number; error?: string };
type Result = { case: string; versions: Named<string>; members: Record<string, Member> };

const recorded = new URL("results/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, recorded), "utf8");

async function optionRows(): Promise<string[]> {
  const host = tinyHost(await hostHere(1));
  const rows: string[] = [];
  for (const [name, entry] of Object.entries(catalog.adapter ?? {}).sort()) {
    const run = compose(tinySpec({ adapter: [{ use: name }] }) as unknown as RunSpec, catalog);
    const [attached] = (await openRun(run, host)).attached;
    const format = attached?.record
      ? (attached.record.formats.adapterhub === undefined ? "PEFT's" : "AdapterHub's")
      : "a whole model";
    const seams = attached && ["linear", "embedding", "attention", "sublayer", "layer"].some((s) => s in attached);
    const { properties = {} } = toJsonSchema(entry.schema as never, { errorMode: "ignore" });
    const options = Object.entries(properties).map(([option, schema]) => {
      const fallback = typeof schema === "object" && "default" in schema ? JSON.stringify(schema.default) : "";
      return `\`${option}\`${fallback === "" ? "" : ` ${fallback}`}`;
    });
    rows.push(`| \`${name}\` | ${format} | ${attached?.merge || !seams ? "yes" : "no"} | ${options.join(", ")} |`);
  }
  return rows;
}

const power = (x: number | undefined): string => (x === undefined ? "" : x.toExponential(1));

/** What became of an adapter both ways; the other library's own words where it makes no such adapter. */
function exchanged({ ok, use = "", there, back, error }: Member): string {
  if (error !== undefined) return ` | the other library says: ${error} |`.slice(1);
  return `\`${use}\` | ${power(there)} | ${power(back)}${ok ? "" : " **fails**"}`;
}

/** The whole text. */
export async function adaptersText(): Promise<string> {
  const results: Result[] = readdirSync(recorded).filter((f) => f.endsWith(".json")).sort().map((f) =>
    JSON.parse(read(f))
  );
  const parity = read("parity.txt").split("\n").filter((line) => /^(ok|differs|missing)\s+cases\//.test(line));
  return [
    "# Adapters",
    "",
    "Written by `test/interchange/table.ts` from runs. Options and defaults are the library's in camelCase; null leaves a choice to",
    "the model's family. Which adapter goes with which family: [adapters by family](adapters_by_family.md).",
    "",
    "| adapter | files | merges | options with their defaults |",
    "|---|---|---|---|",
    ...(await optionRows()),
    "",
    'LoRA+ is a group of the optimizer: `"groups": [{ "pattern": "lora_B", "lrScale": 16 }]`. `loraAlpha` and `r` stand at PEFT\'s 8;',
    "`numVirtualTokens`, which PEFT leaves to the caller, at 8. Where PEFT has no default modules for a family (IA3 and LN tuning",
    "in BERT's relatives), those that its tables name elsewhere are taken. AdaLoRA's `totalStep` is the run's own where it is null.",
    "",
    "## Exchanged with other libraries",
    "",
    "Logits of the same rows, largest difference (relative where a logit is above 1; the limit is 1e-5). *There*: the other library",
    "saved random weights, Attune loaded them. *Back*: Attune trained and saved, the other library loaded.",
    "",
    ...results.flatMap(({ case: name, versions, members }) => [
      `**${name}**, ${Object.entries(versions).map(([k, v]) => `${k} ${v}`).join(", ")}:`,
      "",
      "| member | adapter | there | back |",
      "|---|---|---|---|",
      ...Object.entries(members).map(([member, result]) => `| ${member} | ${exchanged(result)} |`),
      "",
    ]),
    "## Training against torch",
    "",
    "Runs of the reference cases from an adapter that PEFT saved: losses, gradient norms, learning rates and logits.",
    "",
    "| case | | largest difference of a loss | of a gradient norm |",
    "|---|---|---|---|",
    ...parity.map((line) => {
      const [, status = "", name = "", detail = ""] = /^(\S+)\s+cases\/(\S+)\s+(.*)$/.exec(line) ?? [];
      const of = (what: string): string => new RegExp(`(?:^|; )${what} ([\\d.e+-]+|equal)`).exec(detail)?.[1] ?? "";
      return `| ${name} | ${status} | ${of("loss")} | ${of("gradNorm")} |`;
    }),
    "",
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(fileURLToPath(new URL("../../docs/adapters.md", import.meta.url)), await adaptersText());
}
