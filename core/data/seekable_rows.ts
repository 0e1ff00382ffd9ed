/** Rows of known number, each of which is read by its number. */
import type { Rows } from "../types.ts";

/** Rows of known number. */
export type SeekableRows =
  & Pick<Rows, "classes" | "fingerprint" | "notes" | "read" | "transforms" | "longest" | "where">
  & Readonly<{ length: number; at: NonNullable<Rows["at"]> }>;
