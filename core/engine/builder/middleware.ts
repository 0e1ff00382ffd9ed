/** Middleware at hook points: adapters wrap the model, regularizers wrap both. */
import type { Value } from "../../graph/graph.ts";
import type { GraphBuilder, HookPoints, Middleware } from "../../types.ts";
import type { BuildOptions } from "./options.ts";
import { MODEL, type Owner, type OwnerStack } from "./owner.ts";

/** Computes a hook point's result through all of its middleware. */
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

/** Creates the middleware of a build; `builder` returns the builder that it is given. */
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
    // The model's own part belongs to the model, even while an adapter around it is building.
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
