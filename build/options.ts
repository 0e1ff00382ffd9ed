/**
 * Writes docs/options.md, every option of every plugin and of `training`, from the JSON Schema of run specs:
 * `node build/options.ts`.
 */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type Schema, specSchema } from "./schema.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Returns an option's allowed values if there are few; "" otherwise. */
function allowed({ enum: names, anyOf }: Schema): string {
  const one = [{ enum: names }, ...(anyOf as readonly Schema[] | undefined ?? [])]
    .flatMap((each) => each.enum as readonly unknown[] | undefined ?? []);
  return one.length > 0 && one.length <= 12 ? one.map((name) => JSON.stringify(name)).join(", ") : "";
}

function line([name, schema]: readonly [string, Schema], required: boolean): string {
  const { description = "", default: value } = schema;
  const start = required ? " (required)" : value === undefined ? "" : ` = \`${JSON.stringify(value)}\``;
  const names = allowed(schema);
  const said = description.replace(/ Default: .*$/, "");
  return `- \`${name}\`${start}: ${said}${names === "" || said.includes("`") ? "" : ` One of ${names}.`}`;
}

function lines({ properties = {}, required = [] }: Schema): string[] {
  return Object.entries(properties).map((option) => line(option, (required as readonly string[]).includes(option[0])));
}

/** Returns the page's text. */
export function optionsText(): string {
  const { properties = {}, definitions } = specSchema();
  const kinds = Object.entries(definitions as Record<string, Readonly<{ anyOf: readonly Schema[] }>>);
  const plugins = ({ anyOf }: Readonly<{ anyOf: readonly Schema[] }>): string[] =>
    anyOf.flatMap(({ properties, description = "" }) => {
      const { use, with: options } = properties ?? {};
      if (use?.["const"] === undefined) return [];
      const about = description.replace(/[:,]$/, ".");
      return [`### ${use["const"]}`, "", ...(about === "" ? [] : [about, ""]), ...lines(options ?? {}), ""];
    });
  return [
    "# Options",
    "",
    "Every plugin by kind, with its options and their defaults: what goes under `with` in a run spec. Written by",
    "`build/options.ts` from the sources; `attune plugins --json` has the same for programs, `spec.schema.json` for",
    "editors. An option without a default may be left out unless it is required; [training.md](training.md) explains those",
    "of `training`.",
    "",
    kinds.map(([kind]) => `[${kind}](#${kind})`).concat("[training](#training)").join(" · "),
    "",
    ...kinds.flatMap(([kind, one]) => [`## ${kind}`, "", ...plugins(one)]),
    "## training",
    "",
    ...lines(properties["training"] ?? {}),
    "",
  ].join("\n").replaceAll(/\n{3,}/g, "\n\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(`${root}docs/options.md`, optionsText());
