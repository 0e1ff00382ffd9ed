/** The type of rows with a known count and access by index. */
import type { Rows } from "../types.ts";

/** Rows with a known count and access by index. */
export type SeekableRows =
  & Pick<Rows, "classes" | "fingerprint" | "notes" | "read" | "transforms" | "longest" | "where">
  & Readonly<{ length: number; at: NonNullable<Rows["at"]> }>;
