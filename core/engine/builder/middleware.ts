/** Middleware at the hook points: adapters around the model, regularizers around both. */
import type { Value } from "../../graph/graph.ts";
import type { GraphBuilder, HookPoints, Middleware } from "../../types.ts";
import type { BuildOptions } from "./options.ts";
import { MODEL, type Owner, type OwnerStack } from "./owner.ts";

/** Computes what a hook point wants, through all middleware that it has. */
export type ApplyMiddleware = <S extends keyof HookPoints>(
  hook: S,
  call: HookPoints[S],
  base: (call: HookPoints[S]) => Value,
) => Value;

type Around<S extends keyof HookPoints> = (
  b: GraphBuilder,
  call: HookPoints[S],
  next: (call: HookPoints[S]) => Value,
) => Value;

/** The middleware of a build; `builder` gives what it builds with. */
export function createMiddleware(
  { attached, around = [] }: Pick<BuildOptions, "attached" | "around">,
  owners: OwnerStack,
  builder: () => GraphBuilder,
): ApplyMiddleware {
  const layers: readonly Readonly<{ middleware: Middleware; owner: Partial<Owner> }>[] = [
    ...attached.map((adapter) => ({ middleware: adapter, owner: { ...MODEL, adapter } })),
    ...around.map(({ around, name }) => ({ middleware: around, owner: { ...MODEL, regularizer: name } })),
  ];
  return <S extends keyof HookPoints>(hook: S, call: HookPoints[S], base: (call: HookPoints[S]) => Value): Value => {
    // What the model builds is the model's, also where an adapter around it is building.
    let next = (call: HookPoints[S]): Value => owners.as(MODEL, () => base(call));
    for (const { middleware: { [hook]: member }, owner } of layers) {
      const wrap = member as Around<S> | undefined;
      if (!wrap) continue;
      const inner = next;
      next = (call) => owners.as(owner, () => wrap(builder(), call, inner));
    }
    return next(call);
  };
}
