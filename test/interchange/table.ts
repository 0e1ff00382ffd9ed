/**
 * The text of docs/adapters.md: the options from the plugins as they are, the figures from test/interchange/results/, where
 * runs are recorded. `node test/interchange/table.ts` writes it; after new runs of the interchange scripts
 * (`--out test/interchange/results/NAME.json`) and of `npm run parity` (its lines in results/parity.txt).
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
    "An adapter trains a few new parameters and leaves the model frozen. `lora` is the usual choice: `r` 8 to 16 and a learning",
    "rate around 1e-3. Options and defaults are those of PEFT and AdapterHub, in camelCase; null means that the model family",
    "decides. [Adapters by family](adapters_by_family.md) shows what works with which model. This page is written by",
    "`test/interchange/table.ts` from recorded runs.",
    "",
    "| adapter | files | merges | options with their defaults |",
    "|---|---|---|---|",
    ...(await optionRows()),
    "",
    'LoRA+ is a parameter group of the optimizer: `"groups": [{ "pattern": "lora_B", "lrScale": 16 }]`. `numVirtualTokens`, which',
    "PEFT leaves to the caller, is 8. If PEFT has no default modules for a family (IA3 and LN tuning in BERT's relatives), Attune",
    "uses the corresponding modules of related families. AdaLoRA's `totalStep` is that of the run if it is null.",
    "",
    "## Merging",
    "",
    "    attune merge runs/a/adapter runs/b/adapter --output merged --method ties --density 0.5",
    "    attune merge runs/a/adapter --base models/base --output whole",
    "",
    "The first combines several adapters of one base into one, by the methods of PEFT's `add_weighted_adapter`; IA3 adapters only",
    "by `linear`. The second writes a whole model with the adapters folded in (`attune export --merge` does the same for a run).",
    "",
    "| `--method` | what it does |",
    "|---|---|",
    "| `linear` (default) | weighted sum; all adapters need the same rank |",
    "| `cat` | stacks the adapters, whose ranks may differ; the result is exact, and its rank is their sum |",
    "| `svd` | adds the updates B A, and decomposes the sum to `--svd-rank` again |",
    "| `ties` | keeps the largest values (`--density`), and averages those that agree with the majority sign |",
    "| `dare_linear`, `dare_ties` | drops values at random (`--density`), rescales the others, and continues as `linear` or `ties` |",
    "| `magnitude_prune` | keeps the largest values (`--density`), and adds them |",
    "| with `_svd` | the same over the updates B A, decomposed again; ranks may differ |",
    "",
    "`--weights 0.7,0.3` weighs the adapters (default: equal, adding up to 1). A quantized base needs `--exact` or `--requantize` to",
    "stay quantized ([quantized.md](quantized.md)).",
    "",
    "## Exchange with other libraries",
    "",
    "The largest difference of a logit on the same rows (relative if the logit is above 1; the limit is 1e-5). *There*: the other",
    "library saved random weights, and Attune loaded them. *Back*: Attune trained and saved, and the other library loaded.",
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
    "Runs of the reference cases, starting from an adapter that PEFT saved: losses, gradient norms, learning rates and logits.",
    "",
    "| case | result | largest difference of a loss | of a gradient norm |",
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
