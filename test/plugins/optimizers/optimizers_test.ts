import { readFileSync } from "node:fs";
import type { Catalog } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { checksOf, type OptimizerFigures } from "../../../conformance/mod.ts";
import { itPassesSome } from "../../checks.ts";

type Case = OptimizerFigures & Readonly<{ use: string; with: object }>;
const path = new URL("../../fixtures/optimizers.json", import.meta.url);
const { cases }: { cases: readonly Case[] } = JSON.parse(readFileSync(path, "utf8"));

for (const figures of cases) {
  const entry = (catalog as Catalog).optimizer?.[figures.use];
  const parsed = entry?.parse(figures.with);
  if (!parsed || parsed.issues) throw new Error(`No optimizer "${figures.use}" with ${JSON.stringify(figures.with)}`);
  itPassesSome(`optimizer ${figures.use} ${JSON.stringify(figures.with)}`, checksOf(parsed.value, figures));
}
