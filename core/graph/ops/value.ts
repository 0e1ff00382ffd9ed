/** What graphs are made of: values, nodes, and the graph as those who write with it see it. Types only. */
import type { DType, Tensor } from "../../base/tensor.ts";
import type { Shape } from "./dims.ts";
import type { Op, Ops } from "./ops.ts";

/** One tensor of a graph. */
export type Value = Readonly<{ graph: Graph; id: number; dtype: DType; shape: Shape }>;

/** Values, some of which may be absent. */
export type Values = readonly (Value | undefined)[];

/** One operation. `scope`: the part of the model that made it. */
export type Node<O extends Op = Op> = Readonly<{
  op: O;
  inputs: Values;
  outputs: readonly Value[];
  attrs: Ops[O];
  scope: string;
}>;

/** Where a value comes from that no node makes: fed in each run, a parameter of the model, or fixed. */
export type Origin =
  | Readonly<{ kind: "input"; name: string }>
  | Readonly<{ kind: "parameter"; name: string }>
  | Readonly<{ kind: "constant"; tensor: Tensor }>;

/** A gradient rule for a whole region: gets the outputs' gradients, gives the inputs'. */
export type RegionRule = (dy: Values, needs: readonly boolean[]) => Values;

/**
 * From `inputs` to `outputs`, gradients take `rule` and do not look inside. `transparent`: the rule only saves memory,
 * so rewrites may look through it.
 */
export type Region = Readonly<{
  inputs: readonly Value[];
  outputs: readonly Value[];
  rule: RegionRule;
  transparent: boolean;
}>;

/** An operation that is asked for. */
export type Asked<O extends Op = Op> = Readonly<{ op: O; inputs: Values; attrs: Ops[O] }>;

/** What a node is for: the model's outputs, a loss (or a regularizer's term) of them, or gradients. */
export type Purpose = "outputs" | "loss" | "gradients";

/**
 * Makes other nodes in place of those that are asked for, as a graph is built: of the model, its losses and its gradients
 * alike. `next` appends a node as the rewrites behind this one have it.
 */
export type Rewrite = (node: Asked, next: Append, purpose: Purpose) => readonly Value[];

/** Appends an operation and gives its outputs. */
export type Append = <O extends Op>(op: O, inputs: Values, attrs: Ops[O]) => readonly Value[];

/** A training or inference graph under construction. */
export interface Graph {
  /** All nodes, in the order they were appended. */
  readonly nodes: readonly Node[];
  /** Inputs and parameters, by name. */
  readonly inputs: ReadonlyMap<string, Value>;
  /** Results, by name. */
  readonly outputs: ReadonlyMap<string, Value>;
  /** The label of new nodes. */
  readonly scope: string;
  /** A value fed in each run; the same name gives the same value. */
  input(name: string, dtype: DType, shape: Shape): Value;
  /** A named tensor of the model: trained, or frozen. */
  parameter(name: string, dtype: DType, shape: Shape): Value;
  /** A small fixed tensor; equal ones are one. */
  constant(tensor: Tensor): Value;
  /** Appends an operation and gives its outputs. Throws where shapes or dtypes do not fit. */
  append<O extends Op>(op: O, inputs: Values, attrs: Ops[O]): readonly Value[];
  /** Names a result. */
  output(name: string, value: Value): void;
  /** Declares a region whose gradient is `rule`: fused losses, gradient reversal, detach, checkpointing. */
  withVjp(
    inputs: readonly Value[],
    outputs: readonly Value[],
    rule: RegionRule,
    transparent?: boolean,
  ): readonly Value[];
  /** The node that makes a value, if one does. */
  producer(value: Value): Node | undefined;
  /** Where a value comes from that no node makes. */
  origin(value: Value): Origin | undefined;
  /** Declares that others read `other` in a node's result's place: what gradients are computed from, too. */
  replace(result: Value, other: Value): void;
  /** What others read in a value's place. */
  readAs(value: Value): Value;
  /** The region that a value is an output of. */
  region(value: Value): Region | undefined;
  /** Runs `build` with its nodes labelled. */
  within<T>(scope: string, build: () => T): T;
}
