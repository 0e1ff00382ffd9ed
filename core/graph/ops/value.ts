/** Types of a computation graph: values, nodes, and the interface of the graph itself. */
import type { DType, Tensor } from "../../base/tensor.ts";
import type { Shape } from "./dims.ts";
import type { Op, Ops } from "./ops.ts";

/** One tensor of a graph. */
export type Value = Readonly<{ graph: Graph; id: number; dtype: DType; shape: Shape }>;

/** Values, some of which may be absent. */
export type Values = readonly (Value | undefined)[];

/** One operation. `scope`: the part of the model that it was built for. */
export type Node<O extends Op = Op> = Readonly<{
  op: O;
  inputs: Values;
  outputs: readonly Value[];
  attrs: Ops[O];
  scope: string;
}>;

/** The origin of a value that no node computes: fed in each run, a parameter of the model, or a constant. */
export type Origin =
  | Readonly<{ kind: "input"; name: string }>
  | Readonly<{ kind: "parameter"; name: string }>
  | Readonly<{ kind: "constant"; tensor: Tensor }>;

/** A gradient rule for a whole region: from the gradients of its outputs to those of its inputs. */
export type RegionRule = (dy: Values, needs: readonly boolean[]) => Values;

/**
 * A part of the graph, from `inputs` to `outputs`, whose gradients come from `rule`, not from its nodes. `transparent`:
 * the rule only saves memory, so rewrites may look inside.
 */
export type Region = Readonly<{
  inputs: readonly Value[];
  outputs: readonly Value[];
  rule: RegionRule;
  transparent: boolean;
}>;

/** A requested operation. */
export type RequestedOp<O extends Op = Op> = Readonly<{ op: O; inputs: Values; attrs: Ops[O] }>;

/** The purpose of a node: the model's outputs, a loss (or a regularizer's term), or gradients. */
export type Purpose = "outputs" | "loss" | "gradients";

/**
 * Appends other nodes in place of a requested operation while a graph is built, be it the model, losses or gradients.
 * `next` appends an operation through the rewrites that come after this one.
 */
export type Rewrite = (node: RequestedOp, next: Append, purpose: Purpose) => readonly Value[];

/** Appends an operation and returns its outputs. */
export type Append = <O extends Op>(op: O, inputs: Values, attrs: Ops[O]) => readonly Value[];

/** A training or inference graph under construction. */
export interface Graph {
  /** All nodes, in the order they were appended. */
  readonly nodes: readonly Node[];
  /** Inputs and parameters, by name. */
  readonly inputs: ReadonlyMap<string, Value>;
  /** Results, by name. */
  readonly outputs: ReadonlyMap<string, Value>;
  /** The scope of new nodes. */
  readonly scope: string;
  /** Returns a value that is fed in each run; the same name returns the same value. */
  input(name: string, dtype: DType, shape: Shape): Value;
  /** Returns a named tensor of the model, trained or frozen. */
  parameter(name: string, dtype: DType, shape: Shape): Value;
  /** Returns a small constant tensor; equal ones are one value. */
  constant(tensor: Tensor): Value;
  /** Appends an operation and returns its outputs. Throws AttuneError if shapes or dtypes do not fit. */
  append<O extends Op>(op: O, inputs: Values, attrs: Ops[O]): readonly Value[];
  /** Declares a named output. */
  output(name: string, value: Value): void;
  /** Declares a region whose gradient is `rule`: fused losses, gradient reversal, detach, checkpointing. */
  withVjp(
    inputs: readonly Value[],
    outputs: readonly Value[],
    rule: RegionRule,
    transparent?: boolean,
  ): readonly Value[];
  /** Returns the node that computes a value, if any. */
  producer(value: Value): Node | undefined;
  /** Returns the origin of a value that no node computes. */
  origin(value: Value): Origin | undefined;
  /** Declares that other nodes, those of gradients included, read `other` in place of a node's result. */
  replace(result: Value, other: Value): void;
  /** Returns the value that other nodes read in place of this one. */
  readAs(value: Value): Value;
  /** Returns the region that a value is an output of, if any. */
  region(value: Value): Region | undefined;
  /** Runs `build` with this scope for its nodes. */
  within<T>(scope: string, build: () => T): T;
}
