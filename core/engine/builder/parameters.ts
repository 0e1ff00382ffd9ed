/** The parameters that a build declares, by name. */
import type { Value } from "../../graph/graph.ts";
import type { AttachedAdapter, Initializer, Named } from "../../types.ts";
import type { BuildOptions } from "./options.ts";
import type { Owner, OwnerStack } from "./owner.ts";

/** A parameter that a build has declared. */
export type Parameter = Readonly<{
  name: string;
  /** The name without the task's prefix, which head parameters have if tasks are named. */
  unqualifiedName: string;
  value: Value;
  shape: readonly number[];
  init: Initializer;
  /** Whether it belongs to an adapter rather than the model. */
  adapter: boolean;
  /** The index of a row that gets no gradient. */
  paddingIdx: number | undefined;
  /** Whether it never trains, whatever adapters say. */
  frozen: boolean;
  /** Whether it belongs to a regularizer: it trains, but is not part of the model. */
  regularizer: boolean;
  /** The graph inputs with ids that index it, if it is an embedding table. */
  ids: readonly string[];
  /** All parameters of its build, by name: its initial values may be computed from theirs. */
  build: ReadonlyMap<string, Parameter>;
}>;

/** Details of a parameter in addition to its name, shape and initial values. */
export type ParameterDetails = Readonly<{ paddingIdx?: number; ids?: string; frozen?: boolean }>;

/** The parameters of a build. */
export type ParameterTable = Readonly<{
  all: ReadonlyMap<string, Parameter>;
  /** Declares a parameter; the same name returns the same value. */
  declare(name: string, shape: readonly number[], init?: Initializer, details?: ParameterDetails): Value;
  /** Whether a value is a parameter that trains. */
  isTrained(value: Value): boolean;
  /** Returns the parameters that train, except those of regularizers. */
  trainable(): Named<Value>;
}>;

/** Creates an empty table. */
export function createParameterTable(options: BuildOptions, owners: OwnerStack): ParameterTable {
  const { graph, isTrainable } = options;
  const all = new Map<string, Parameter>();
  const isTrained = (value: Value): boolean => {
    const origin = graph.origin(value);
    const p = origin?.kind === "parameter" ? all.get(origin.name) : undefined;
    return p !== undefined && trainsIn(p, isTrainable);
  };
  return {
    all,
    declare: (name, shape, init = { normal: options.initializerRange }, { paddingIdx, ids, frozen = false } = {}) => {
      const owner = owners.current();
      const unqualifiedName = nameWithin(owner, name);
      const isOfTask = owner.part === "head" && options.taskName && !options.shared?.(name);
      const full = isOfTask ? `${options.taskName}.${unqualifiedName}` : unqualifiedName;
      const known = all.get(full);
      const value = known?.value ?? graph.parameter(full, "float32", shape);
      const declared = known ?? {
        name: full,
        unqualifiedName,
        value,
        shape,
        init,
        adapter: owner.adapter !== undefined,
        regularizer: owner.regularizer !== undefined,
        frozen,
        paddingIdx,
        build: all,
      };
      all.set(full, { ...declared, ids: [...new Set([...known?.ids ?? [], ...(ids === undefined ? [] : [ids])])] });
      return value;
    },
    isTrained,
    trainable: () =>
      Object.fromEntries(
        [...all.values()].filter((p) => !p.regularizer && isTrained(p.value)).map((p) => [p.name, p.value]),
      ),
  };
}

function nameWithin({ adapter, regularizer }: Owner, name: string): string {
  return regularizer === undefined ? qualifyName(adapter, name) : `${regularizer}/${name}`;
}

/** Whether a parameter trains. */
export function trainsIn(p: Parameter, isTrainable: BuildOptions["isTrainable"]): boolean {
  return p.regularizer || (!p.frozen && isTrainable(p.unqualifiedName, p.adapter));
}

/** Returns whether parameters train: the last adapter that answers decides; without adapters, all of them do. */
export function trainsRule(attached: readonly AttachedAdapter[]): (name: string, adapter: boolean) => boolean {
  return (name, adapter) => {
    if (adapter) return true;
    for (const a of attached.toReversed()) {
      const answer = a.isTrainable?.(name);
      if (answer !== undefined) return answer;
    }
    return attached.length === 0;
  };
}

/** Returns the name of an adapter's parameter in a program. */
export function qualifyName(adapter: AttachedAdapter | undefined, name: string): string {
  return adapter?.name === undefined ? name : `${adapter.name}/${name}`;
}
