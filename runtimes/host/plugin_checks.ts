/** The checks of a package's plugins: those of their kinds, and a short run with each plugin. */
import { type Check, checksOf } from "../../conformance/mod.ts";
import { runChecks } from "../../conformance/run.ts";
import { type PluginPackage, withPackages } from "../../core/spec/packages.ts";
import type { Catalog, Entry, Host, Named, Plugin } from "../../core/types.ts";

/** Options of the checks. */
export type CheckContext = Readonly<{ catalog: Catalog; host: Host }>;

/** Returns every check of a package's plugins, by plugin. */
export function checksOfPackage(added: PluginPackage, { catalog, host }: CheckContext): readonly Check[] {
  const all = withPackages(catalog, [added]);
  const figures = { host, catalog: all };
  return added.entries.flatMap((entry) => {
    const title = `${entry.kind} ${entry.use}`;
    // Options that a plugin requires, by title: "schedule halves" → its options.
    const options = added.conformance?.[title];
    const parsed = entry.parse(options ?? {});
    const withTitle = (checks: readonly Check[]): Check[] =>
      checks.map((check) => Object.create(check, { name: { value: `${title}: ${check.name}`, enumerable: true } }));
    const first: Check = {
      name: 'its options have defaults, or the package\'s export "conformance" has some',
      run: async () => {
        if (parsed.issues) throw new Error(parsed.issues.map(({ message }) => message).join("; "));
      },
    };
    if (parsed.issues) return withTitle([first]);
    const reference = { use: entry.use, ...(options === undefined ? {} : { with: options as Named<unknown> }) };
    const more = entry.kind === "data" ? { ...figures, variants: variantsOf(entry, parsed.value) } : figures;
    return withTitle([first, ...checksOf(parsed.value, more), ...runChecks(parsed.value, reference, figures)]);
  });
}

/** Returns variants of a plugin with one option changed, for each number and flag that may have another value. */
function variantsOf({ parse }: Entry, { options }: Plugin): readonly Plugin[] {
  return Object.entries(options).flatMap(([name, value]) => {
    const other = typeof value === "number" ? value + 1 : typeof value === "boolean" ? !value : undefined;
    if (other === undefined) return [];
    const parsed = parse({ ...options, [name]: other });
    return parsed.issues ? [] : [parsed.value as Plugin];
  });
}
