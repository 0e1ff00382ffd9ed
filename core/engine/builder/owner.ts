/** Whose part of the graph is being built: it decides what parameters are called and whose they are. */
import type { AttachedAdapter } from "../../types.ts";

/** Who is building: an adapter, a regularizer of a name, or else the model, whose head may be a task's alone. */
export type Owner = Readonly<{
  part: "backbone" | "head";
  adapter: AttachedAdapter | undefined;
  regularizer: string | undefined;
}>;

/** The model, also inside of what an adapter or a regularizer builds around it. */
export const MODEL: Omit<Owner, "part"> = { adapter: undefined, regularizer: undefined };

/** A stack of owners: who is building now, possibly on behalf of another. */
export type OwnerStack = Readonly<{
  current(): Owner;
  as<T>(owner: Partial<Owner>, make: () => T): T;
}>;

/** A stack with the backbone at its bottom. */
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
