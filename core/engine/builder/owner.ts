/** The owner of the part of the graph that is being built, which determines the names and ownership of parameters. */
import type { AttachedAdapter } from "../../types.ts";

/** The current owner: an adapter, a named regularizer, or else the model (`part`: its backbone, or a task's head). */
export type Owner = Readonly<{
  part: "backbone" | "head";
  adapter: AttachedAdapter | undefined;
  regularizer: string | undefined;
}>;

/** The model as owner, even within middleware of an adapter or a regularizer. */
export const MODEL: Omit<Owner, "part"> = { adapter: undefined, regularizer: undefined };

/** A stack of owners: the current one may be building on behalf of another. */
export type OwnerStack = Readonly<{
  current(): Owner;
  as<T>(owner: Partial<Owner>, make: () => T): T;
}>;

/** Creates a stack with the backbone at the bottom. */
export function createOwnerStack(): OwnerStack {
  let current: Owner = { part: "backbone", ...MODEL };
  return {
    current: () => current,
    as: (owner, make) => {
      const outer = current;
      current = { ...outer, ...owner };
      try {
        return make();
      } finally {
        current = outer;
      }
    },
  };
}
