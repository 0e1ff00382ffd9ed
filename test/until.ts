/**
 * Waiting for what others do: however long it takes them on this machine.
 * @module
 */
const LOOKS = 12_000;

/** Looks every 50 milliseconds until there is something, which it gives. What never comes is an error, behind ten minutes. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  for (let i = 0; i < LOOKS; i++) {
    const state = await look();
    if (state !== undefined && state !== false) return state;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what} never came`);
}
