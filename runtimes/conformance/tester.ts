/**
 * What runs the tests of a battery.
 * @module
 */
import { test } from "node:test";

/** Takes a test by name, and runs it at once or later. */
export type Tester = (name: string, run: () => void | Promise<void>) => void;

/** Node's own, which Bun and Deno have, too. */
export const nodeTest: Tester = (name, run) => void test(name, run);
