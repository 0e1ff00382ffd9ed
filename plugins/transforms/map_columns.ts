/**
 * Renames columns.
 * @module
 */
import * as v from "valibot";
import { columnOf, eachRow } from "../../blocks/transform/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory, Row } from "../../core/types.ts";

/** Options of {@link mapColumns}. */
export interface MapColumnsOptions {
  /** New names and the old names that they replace. */
  readonly columns: Readonly<Record<string, string>>;
  /** Whether to keep columns that are not listed. */
  readonly keep: boolean;
}

type Input = Readonly<{ columns: Readonly<Record<string, string>>; keep?: boolean }>;

const NAME = "map-columns";

/**
 * Rows with renamed columns, and with `keep`, all others. A column that already had a new name is replaced, and old
 * names disappear unless they are listed again.
 *
 * @throws AttuneError from reading if a row has no column of an old name.
 * @example
 * ```ts
 * import { mapColumns } from "attune/transforms/map-columns";
 * console.assert(mapColumns({ columns: { text: "review", label: "stars" } }).scope === "row");
 * ```
 */
export const mapColumns: Factory<"transform", Input> = define({
  kind: "transform",
  name: NAME,
  schema: v.strictObject({
    columns: v.pipe(
      v.record(v.string(), v.pipe(v.string(), v.nonEmpty())),
      v.check((columns) => Object.keys(columns).length > 0, "at least one column"),
    ),
    keep: v.optional(v.boolean(), false),
  }),
  create: ({ columns, keep }: MapColumnsOptions) => {
    const names = Object.entries(columns);
    const gone = new Set(names.flat());
    return {
      scope: "row",
      renames: columns,
      apply: (rows, context) =>
        eachRow(rows, context, (item) => {
          const others = keep ? Object.entries(item.row).filter(([name]) => !gone.has(name)) : [];
          const row: Row = Object.fromEntries([
            ...names.map(([name, old]) => [name, columnOf(NAME, item, old)]),
            ...others,
          ]);
          const same = names.every(([name, old]) => name === old) &&
            Object.keys(item.row).length === Object.keys(row).length;
          return same ? {} : { row, reasons: ["columns"] };
        }),
    };
  },
});
