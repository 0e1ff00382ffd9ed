/**
 * The file data.json of a run's folder.
 * @module
 */
import type { Json, Named } from "../../types.ts";
import type { TaskRows } from "../rows/batches.ts";

/** The file data.json: what transforms did to each split, by row; absent where there are none. */
export function dataFile(tasks: readonly TaskRows[]): Json | undefined {
  const splitsOf = ({ train, evalRows, test, leaks }: TaskRows): Named<Json> => ({
    ...Object.fromEntries(
      Object.entries({ train, eval: evalRows, test }).flatMap(([name, rows]) => {
        const { transforms } = rows ?? {};
        if (!transforms) return [];
        return [[
          name,
          { in: transforms[0]?.in ?? 0, out: transforms.at(-1)?.out ?? 0, transforms } as unknown as Json,
        ]];
      }),
    ),
    ...(leaks && Object.values(leaks).some(({ rows }) => rows > 0) ? { leaks: leaks as unknown as Json } : {}),
  });
  const named = tasks.map((own) => [own.open.task.name, splitsOf(own)] as const);
  if (named.every(([, splits]) => Object.keys(splits).length === 0)) return undefined;
  const [[name, only] = ["", {}]] = named;
  return name === "" ? only : { tasks: Object.fromEntries(named) };
}
