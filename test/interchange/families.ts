/**
 * Writes docs/adapters_by_family.md from runs of every adapter on a tiny model of every family:
 * `node test/interchange/families.ts`.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import process from "node:process";
import { members, onFamily, type Outcome } from "../conformance/adapter_families.ts";
import { families } from "../conformance/families.ts";

const power = (x: number): string => (x === 0 ? "0" : x.toExponential(0));
const cell = (outcome: Outcome): string => {
  if ("refused" in outcome) return /No module|default for/.test(outcome.refused) ? "by name" : "–";
  const { reloaded, merged } = outcome;
  return [reloaded === undefined ? "trains" : "files", ...(merged === undefined ? [] : [`merges ${power(merged)}`])]
    .join(", ");
};
/** The whole text. */
export async function familiesText(): Promise<string> {
  const names = Object.keys(families);
  const rows: string[] = [];
  for (const family of names) {
    const cells: string[] = [];
    for (const use of members) cells.push(cell(await onFamily(use, family)));
    rows.push(`| ${[family, ...cells].join(" | ")} |`);
  }
  return [
    "# Adapters by family",
    "",
    "*files*: trained, saved in the format that [adapters.md](adapters.md) names, and loaded again with the same loss. *merges*:",
    "folded into the weights, with the largest difference of a logit. *trains*: the run saves a whole model. *by name*: no library",
    "has default modules for this family, so `targetModules` must name them. –: the family's layers have no place for this adapter.",
    "Written by `test/interchange/families.ts` from runs on a tiny model of each family.",
    "",
    `| | ${members.map((m) => `\`${m.use}\``).join(" | ")} |`,
    `|---|${members.map(() => "---|").join("")}`,
    ...rows,
    "",
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(fileURLToPath(new URL("../../docs/adapters_by_family.md", import.meta.url)), await familiesText());
}
