/** Groups of rows, given by the values in one or more columns. */
import * as v from "valibot";
import { badValue, missing } from "../../core/base/errors.ts";
import type { MetricInputs, Named } from "../../core/types.ts";
import { role } from "../options/mod.ts";

/** Options of metrics by group. */
export interface GroupOptions {
  /** The column whose values are the groups. */
  readonly column?: string | undefined;
  /** Several columns, whose combinations of values are the groups. */
  readonly columns?: readonly string[] | undefined;
  /** Groups with fewer rows are left out, because their figures are mostly chance. */
  readonly minCount: number;
}

/** Schema entries of {@link GroupOptions}. */
export const groupEntries: {
  readonly column: v.OptionalSchema<v.GenericSchema<string>, undefined>;
  readonly columns: v.OptionalSchema<v.GenericSchema<readonly string[]>, undefined>;
  readonly minCount: v.OptionalSchema<v.GenericSchema<number>, 1>;
} = {
  column: v.optional(role(v.pipe(v.string(), v.nonEmpty()), { role: "column" }), undefined),
  columns: v.optional(
    role(v.pipe(v.array(v.pipe(v.string(), v.nonEmpty())), v.minLength(1), v.readonly()), { role: "column" }),
    undefined,
  ),
  minCount: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 1),
};

/** Returns the columns as a list. Throws AttuneError unless exactly one of `column` and `columns` is given. */
export function groupColumns(plugin: string, { column, columns }: Omit<GroupOptions, "minCount">): readonly string[] {
  if (columns !== undefined && column === undefined) return columns;
  if (column !== undefined && columns === undefined) return [column];
  throw badValue(plugin, "column", column === undefined ? undefined : { column, columns }, "either column or columns");
}

/** Separator between the values of several columns. */
const CROSS = " & ";

/**
 * Returns the group of a row.
 *
 * @throws AttuneError if one of the columns is missing or empty: such a row cannot be compared with any group.
 */
export function groupOf(
  plugin: string,
  { columns: row = {} }: MetricInputs[keyof MetricInputs],
  columns: readonly string[],
): string {
  const values = columns.map((name) => {
    const value = Object.hasOwn(row, name) ? row[name] : undefined;
    if (value === undefined || value === null || value === "") {
      const there = Object.keys(row).join(", ") || "none";
      const why = value === undefined ? `there are ${there}` : `it is ${value === "" ? "empty" : "null"}`;
      throw missing(plugin, `a value of the column "${name}" (${why})`, "a row");
    }
    if (typeof value === "object") {
      throw badValue(plugin, name, value, "a string, a number or a boolean, to group by");
    }
    return String(value);
  });
  // A value that contains the separator is quoted, so that different combinations are different groups.
  const group = columns.length === 1
    ? values.join()
    : values.map((value) => (value.includes(CROSS) ? JSON.stringify(value) : value)).join(CROSS);
  // This key would set the object's prototype.
  if (group === "__proto__") throw badValue(plugin, columns.join(", "), group, "another name");
  return group;
}

/** Groups sorted by the code units of their names. */
export function inOrder<T>(groups: Named<T>): readonly (readonly [string, T])[] {
  return Object.entries(groups).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
