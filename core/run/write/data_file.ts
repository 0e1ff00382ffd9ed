/**
 * The file data.json of a run's folder.
 * @module
 */
import type { Json, Named } from "../../types.ts";
import { splitsOf, type TaskRows } from "../rows/task_rows.ts";

/** The file data.json: what transforms did to each split, by row; absent where there are none. */
export function dataFile(tasks: readonly TaskRows[]): Json | undefined {
  const told = (own: TaskRows): Named<Json> => ({
    ...Object.fromEntries(
      splitsOf(own).flatMap(([name, { transforms }]) => {
        if (!transforms) return [];
        return [[
          name,
          { in: transforms[0]?.in ?? 0, out: transforms.at(-1)?.out ?? 0, transforms } as unknown as Json,
        ]];
      }),
    ),
    ...(Object.values(own.leaks ?? {}).some(({ rows }) => rows > 0) ? { leaks: own.leaks as unknown as Json } : {}),
  });
  const named = tasks.map((own) => [own.open.task.name, told(own)] as const);
  if (named.every(([, splits]) => Object.keys(splits).length === 0)) return undefined;
  const [[name, only] = ["", {}]] = named;
  return name === "" ? only : { tasks: Object.fromEntries(named) };
}
